#!lua flags=allow-oom
-- End entries that nobody claimed for too long: outside the window of what may be claimed, in no lease, received and owed
-- for longer than the retention. Of an active stream nothing lapses.
-- KEYS  owed, leases, mark, books
-- ARGV  retention in ms, entries to look at
-- Reply {lapsed, 1 when there may be more}
local owed, leases, mark, books = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local retention, most = whole(ARGV[1], 0, BOUND), whole(ARGV[2], 1, 1000)
if #KEYS ~= 4 or #ARGV ~= 2 or not retention or not most then return refuse('lapse: a retention and a count') end
local window = call('HMGET', mark, 'from', 'to')
local from, to = window[1], window[2]
if not from then return { 0, 0 } end
call('XLEN', owed)
call('HLEN', books)
local kept = {}
if from ~= '-' then
  -- Without an end the window goes on for ever; no id is beyond this one.
  kept[1] = { from = parse_id(from), to = to and parse_id(to) or { BOUND, 0 }, last = to or '999999999999999-0' }
  if not kept[1].from or not kept[1].to then return refuse('damaged window ' .. from .. ' ' .. (to or '')) end
end
local stored = call('HGETALL', leases)
for at = 1, #stored, 2 do
  if stored[at] ~= '#' then
    kept[#kept + 1] = parse_lease(stored[at], stored[at + 1])
    if not kept[#kept] then return refuse('damaged lease ' .. stored[at]) end
  end
end

local function kept_by(id)
  for _, range in ipairs(kept) do
    if not before(id, range.from) and not before(range.to, id) then return range end
  end
end

-- An id is no earlier than the store's time of the append: from the first that is young on, all are.
local bound, position, looked, lapsing, worth = now_ms() - retention, '-', 0, {}, {}
local reached = false
while looked < most and not reached do
  local page = call('XRANGE', owed, position, '+', 'COUNT', math.min(100, most - looked))
  reached = #page == 0
  for _, entry in ipairs(page) do
    local id = parse_id(entry[1])
    looked, position = looked + 1, '(' .. entry[1]
    reached = not id or id[1] > bound
    if reached then break end
    local range = kept_by(id)
    if range then
      position = '(' .. range.last
      break
    end
    local received = tonumber(match(entry[2][4] or '', '^(%d+)|') or 0)
    if received <= bound then lapsing[#lapsing + 1] = { entry[1], id, entry[2][4] or '' } end
  end
end

-- From here on everything is written, and nothing may raise.
local ahead, ids = 0, {}
for at, entry in ipairs(lapsing) do
  ids[at] = entry[1]
  add_worth(worth, entry[3], -1)
  if from ~= '-' and before(entry[2], kept[1].from) then ahead = ahead + 1 end
end
if #ids > 0 then call('XDEL', owed, unpack(ids)) end
count(books, 'lapsed', #lapsing)
keep_worth(books, worth)
if from ~= '-' then
  count(mark, 'standing', -ahead)
  -- Nothing is before the least id, and no range may end before it.
  local nothing = from == '0-0' or #pcall_('XRANGE', owed, '-', '(' .. from, 'COUNT', 1) == 0
  if nothing then call('HSET', mark, 'standing', 0) end
end
return { #lapsing, reached and 0 or 1 }
