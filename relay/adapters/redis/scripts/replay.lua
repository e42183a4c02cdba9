#!lua
-- One step of a replay: owe archived events again, and write down how far the job has come, both or nothing. Changes
-- nothing when the job is another one, not running, or in other hands by now.
-- An event goes to each target that has not accepted it, and leaves the archive unless it is to be kept. It takes along
-- since when TikTok may have it. What has left the archive is not owed again, so nothing moves twice; what is kept goes
-- back under another id with its doubt, because ids of entries are not remembered for ever.
-- KEYS  job, archive, then per stream: owed, books; then per target with a member its bucket in the current epoch and
--       the older ones
-- ARGV  version of the job, lease in ms, cursor, what it waits for; counters, then per counter: name, increment
--       streams, then per stream: epochs looked up, current epoch, its length in ms
--       events, then per event: id, m, 1 to keep it else 0, targets, then per target: number of its stream, member ('':
--       it was accepted there before)
-- Reply {1, duplicates, owed per stream, …}; {0} when the job is not the caller's; {-1, now} when the caller is in
-- another epoch: nothing changed
local job, archive, now = KEYS[1], KEYS[2], now_ms()
local version, lease, cursor = whole(ARGV[1], 0, BOUND), whole(ARGV[2], 1, BOUND), ARGV[3]
local counters, arg, key = whole(ARGV[5], 0, 100), 6, 3
if not (version and lease and cursor and counters) then
  return refuse('replay: a version, a lease, a cursor and counters were expected')
end
for at = arg, arg + 2 * counters - 1, 2 do
  if not find(ARGV[at] or '', '^[%l_]+$') or not whole(ARGV[at + 1], -BOUND, BOUND) then
    return refuse('replay: a counter was expected')
  end
end
arg = arg + 2 * counters
local streams, wanted = {}, whole(ARGV[arg], 0, 1000)
if not wanted then return refuse('replay: streams were expected') end
arg = arg + 1
for index = 1, wanted do
  local epochs, epoch, length = whole(ARGV[arg], 1, 64), whole(ARGV[arg + 1], 0, BOUND), whole(ARGV[arg + 2], 1, BOUND)
  if not (epochs and epoch and length) then return refuse('epoch: three numbers were expected') end
  if math.floor(now / length) ~= epoch then return { -1, now } end
  local stream = { owed = KEYS[key], books = KEYS[key + 1], epochs = epochs, expires = (epoch + epochs) * length,
    moved = 0, duplicates = 0, worth = {} }
  if not stream.books then return refuse('arguments do not add up') end
  call('XLEN', stream.owed)
  call('HLEN', stream.books)
  streams[index], key, arg = stream, key + 2, arg + 3
end

local events, how_many = {}, whole(ARGV[arg], 0, 1000)
if not how_many then return refuse('replay: events were expected') end
arg = arg + 1
for index = 1, how_many do
  local event = { id = ARGV[arg], m = ARGV[arg + 1] or '', keep = ARGV[arg + 2] == '1', targets = {} }
  local targets = whole(ARGV[arg + 3], 1, 1000)
  if not parse_id(event.id) or not whole(ARGV[arg + 2], 0, 1) or not targets or not find(event.m, '^%d+|%-?%d*|%u*|') then
    return refuse('event ' .. index .. ': malformed')
  end
  arg = arg + 4
  for place = 1, targets do
    local stream, member = streams[tonumber(ARGV[arg])], ARGV[arg + 1]
    local known = member == '' and not event.keep
    if not stream or not member or not (known or #member <= 20 and find(member, '^%-?%d+$')) then
      return refuse('event ' .. index .. ': malformed target')
    end
    local target = { stream = stream, member = member, key = key }
    if not known then
      if not KEYS[key + stream.epochs - 1] then return refuse('arguments do not add up') end
      target.empty = call('SCARD', KEYS[key]) == 0
      for back = 1, stream.epochs - 1 do
        target.seen = target.seen or call('SISMEMBER', KEYS[key + back], member) == 1
      end
      key = key + stream.epochs
    end
    event.targets[place], arg = target, arg + 2
  end
  events[index] = event
end
if key ~= #KEYS + 1 or arg ~= #ARGV + 1 then return refuse('arguments do not add up') end
call('XLEN', archive)
local stored = call('HMGET', job, 'version', 'state')
if tonumber(stored[1] or -1) ~= version or stored[2] ~= 'running' then return { 0 } end

-- From here on everything is written, and nothing may raise.
local worth, fault = {}, nil
-- True unless the stream takes nothing any more: then the id is forgotten again, or the event would be lost as seen.
local function owe(target, event, entry)
  local stream, fresh = target.stream, target.member ~= ''
  if target.seen or (fresh and call('SADD', KEYS[target.key], target.member) == 0) then
    stream.duplicates = stream.duplicates + 1
    return true
  end
  if target.empty then call('PEXPIREAT', KEYS[target.key], stream.expires) end
  local id = pcall_('XADD', stream.owed, '*', unpack(entry))
  if type(id) == 'table' then
    if fresh then call('SREM', KEYS[target.key], target.member) end
    fault = id
    return false
  end
  stream.moved = stream.moved + 1
  add_worth(stream.worth, event.m, 1)
  add_worth(worth, event.m, 1)
  return true
end

-- True unless the archive takes nothing any more: then it stays as it is.
local function keep(fields, first_ms)
  local kept = { 'e', fields[2], 'm', fields[4], 'f', first_ms > 0 and first_ms or now }
  return type(pcall_('XADD', archive, '*', unpack(kept))) ~= 'table'
end

for _, event in ipairs(events) do
  local found = call('XRANGE', archive, event.id, event.id)[1]
  if found then
    local entry, first_ms = { 'e', found[2][2], 'm', event.m }, doubt_of(found[2])
    if first_ms > 0 then entry[5], entry[6] = 'f', first_ms end
    local whole_way = true
    for _, target in ipairs(event.targets) do whole_way = owe(target, event, entry) and whole_way end
    if whole_way and (not event.keep or keep(found[2], first_ms)) then call('XDEL', archive, event.id) end
  end
end
local reply, moved, duplicates = { 1, 0 }, 0, 0
for index, stream in ipairs(streams) do
  count(stream.books, 'requeued', stream.moved)
  count(stream.books, 'duplicates', stream.duplicates)
  keep_worth(stream.books, stream.worth)
  moved, duplicates, reply[index + 2] = moved + stream.moved, duplicates + stream.duplicates, stream.moved
end
reply[2] = duplicates
count(job, 'n:moved', moved)
count(job, 'n:duplicates', duplicates)
for at = 6, 5 + 2 * counters, 2 do count(job, 'n:' .. ARGV[at], ARGV[at + 1]) end
keep_worth(job, worth)
call('HSET', job, 'cursor', cursor, 'waiting', ARGV[4], 'due', now + lease)
if fault then return fault end
return reply
