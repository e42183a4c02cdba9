#!lua
-- Owe new entries, each unless its id was seen; keep rejects. The only script that a full memory may refuse.
-- KEYS  per stream: owed, books; then dead:-, books:-; then per entry its bucket in the current epoch and the older ones
-- ARGV  streams, then per stream: epochs looked up, current epoch, its length in ms
--       entries, then per entry: number of its stream, member, e, m
--       rejects, then per reject: e, m, reason
--       bytes and age in ms that rejects may take
-- Reply {now, '0110…'} with 1 = owed now, 0 = a duplicate; {now} alone when the caller is in another epoch: nothing changed
local now, key, arg = now_ms(), 0, 1
local streams = {}
local wanted = whole(ARGV[1], 0, 1000)
if not wanted then return refuse('streams: a count was expected') end
for index = 1, wanted do
  local epochs, epoch = whole(ARGV[arg + 1], 1, 64), whole(ARGV[arg + 2], 0, BOUND)
  local length = whole(ARGV[arg + 3], 1, BOUND)
  if not (epochs and epoch and length) then return refuse('epoch: three numbers were expected') end
  if math.floor(now / length) ~= epoch then return { now } end
  local stream = {
    owed = KEYS[key + 1], books = KEYS[key + 2], epochs = epochs, expires = (epoch + epochs) * length,
    accepted = 0, duplicates = 0, worth = {},
  }
  call('XLEN', stream.owed)
  call('HLEN', stream.books)
  streams[index], key, arg = stream, key + 2, arg + 3
end
local dead, dead_books = KEYS[key + 1], KEYS[key + 2]
key, arg = key + 2, arg + 1
call('XLEN', dead)
local kept = tonumber(call('HGET', dead_books, 'bytes') or 0) or 0

local entries = whole(ARGV[arg], 0, 10000)
if not entries then return refuse('entries: a count was expected') end
local first_entry, first_key = arg + 1, key + 1
local known, empty = {}, {}
for index = 1, entries do
  local stream, member, e, m = streams[tonumber(ARGV[arg + 1])], ARGV[arg + 2], ARGV[arg + 3], ARGV[arg + 4]
  if not stream then return refuse('entry ' .. index .. ': unknown stream') end
  if not m or #member > 20 or not find(member, '^%-?%d+$') or #e == 0 or not find(m, '^%d+|%-?%d*|%u*|') then
    return refuse('entry ' .. index .. ': malformed')
  end
  empty[index] = call('SCARD', KEYS[key + 1]) == 0
  for back = 2, stream.epochs do
    known[index] = known[index] or call('SISMEMBER', KEYS[key + back], member) == 1
  end
  key, arg = key + stream.epochs, arg + 4
end
local rejects = whole(ARGV[arg + 1], 0, 10000)
if not rejects or key ~= #KEYS or #ARGV ~= arg + 1 + rejects * 3 + 2 then return refuse('arguments do not add up') end
local max_bytes, max_age = whole(ARGV[#ARGV - 1], 0, BOUND), whole(ARGV[#ARGV], 0, BOUND)
if not (max_bytes and max_age) then return refuse('limits of rejects: two numbers were expected') end
local first_reject = arg + 2

-- From here on everything is written, and nothing may raise.
local answers, fault = {}, nil
key, arg = first_key, first_entry
for index = 1, entries do
  local stream, member = streams[tonumber(ARGV[arg])], ARGV[arg + 1]
  if known[index] or call('SADD', KEYS[key], member) == 0 then
    answers[index], stream.duplicates = '0', stream.duplicates + 1
  else
    if empty[index] then call('PEXPIREAT', KEYS[key], stream.expires) end
    local id = pcall_('XADD', stream.owed, '*', 'e', ARGV[arg + 2], 'm', ARGV[arg + 3])
    if type(id) == 'table' then -- its ids are used up: forget the member again, or the event would be lost as seen
      call('SREM', KEYS[key], member)
      fault = id
      break
    end
    answers[index], stream.accepted = '1', stream.accepted + 1
    add_worth(stream.worth, ARGV[arg + 3], 1)
  end
  key, arg = key + stream.epochs, arg + 4
end
for _, stream in ipairs(streams) do
  count(stream.books, 'accepted', stream.accepted)
  count(stream.books, 'duplicates', stream.duplicates)
  keep_worth(stream.books, stream.worth)
end
for index = 0, rejects - 1 do
  local at = first_reject + index * 3
  pcall_('XADD', dead, '*', 'e', ARGV[at], 'm', ARGV[at + 1], 'c', '', 'r', ARGV[at + 2], 't', '', 'n', '', 'q', '',
    'f', '0', 'd', now)
  kept = kept + #ARGV[at]
end
if rejects > 0 then
  local trimmed = 0
  for _, old in ipairs(call('XRANGE', dead, '-', '+', 'COUNT', rejects + 16)) do
    local id = parse_id(old[1])
    if kept <= max_bytes and (not id or id[1] >= now - max_age) then break end
    kept = kept - #old[2][2]
    trimmed = trimmed + call('XDEL', dead, old[1])
  end
  count(dead_books, 'trimmed', trimmed)
  pcall_('HSET', dead_books, 'bytes', string.format('%.0f', math.max(0, kept)))
end
if fault then return fault end
return { now, table.concat(answers) }
