#!lua flags=no-writes
-- How receipt is spread over an owed stream. Ids order but do not tell time, and nothing tells an entry's rank: so the
-- range of ids is cut into equal parts, each is looked into at its start, and the share found there stands for it.
-- KEYS  owed
-- ARGV  parts, entries wanted of each
-- Reply per part: time of receipt of its first entry ('' when nothing was found) and entries found in the window; all
-- windows are equally wide, and wide enough to be complete for a short stream
local owed, parts, wanted = KEYS[1], whole(ARGV[1], 1, 100), whole(ARGV[2], 1, 100)
if #KEYS ~= 1 or not parts or not wanted then return refuse('sample: parts and a count were expected') end
local first, last = call('XRANGE', owed, '-', '+', 'COUNT', 1)[1], call('XREVRANGE', owed, '+', '-', 'COUNT', 1)[1]
if not first then return {} end
local from, to = parse_id(first[1]), parse_id(last[1])
if not from or not to then return {} end
local step = (to[1] - from[1] + 1) / parts
local width = math.min(step, math.max(1, step * parts * wanted / call('XLEN', owed)))
local reply = {}
for part = 0, parts - 1 do
  local start = math.floor(from[1] + part * step)
  local stop = math.min(math.floor(from[1] + part * step + width), math.floor(from[1] + (part + 1) * step)) - 1
  local found = {}
  if stop >= start then
    local low, high = string.format('%.0f', start), string.format('%.0f', stop)
    found = call('XRANGE', owed, low, high, 'COUNT', 10 * wanted)
  end
  reply[2 * part + 1] = found[1] and match(found[1][2][4] or '', '^(%d+)|') or ''
  reply[2 * part + 2] = #found
end
return reply
