#!lua flags=allow-oom
-- End the oldest entries undelivered, none of them in a lease.
-- lapsed: nobody claimed them for too long: outside the window of what may be claimed, received and owed for longer than
-- the retention. Of an active stream nothing lapses.
-- shed: there is no room for them. Received at a moment or before, and as many as the server uses bytes too many; it is
-- asked here, so that several replicas do not make room twice.
-- forgotten: their person asked for it. These very ones, wherever they stand.
-- KEYS  owed, leases, mark, books
-- ARGV  lapsed, retention in ms, entries to look at; or shed, moment in ms, entries to look at, bytes that may be used;
--       or forgotten, 0, entries, their ids
-- Reply {ended, 1 when there may be more, next}: when the entry was received at which shedding stopped, 0 when none is
-- left, -1 when there is room. When forgetting: {ended, how many are in a lease and stay, 0}
local owed, leases, mark, books = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local NODE, AROUND = 4096, 32 -- a stream gives memory back by the node; bytes that an entry takes besides its fields
local ending, limit, most = ARGV[1], whole(ARGV[2], 0, BOUND), whole(ARGV[3], 1, 1000)
local lapsing, shedding, forgetting = ending == 'lapsed', ending == 'shed', ending == 'forgotten'
local target = shedding and whole(ARGV[4], 1, BOUND)
local complete = lapsing and #ARGV == 3 or shedding and #ARGV == 4 and target or forgetting and #ARGV == 3 + (most or 0)
if #KEYS ~= 4 or not limit or not most or not complete then
  return refuse('drop: an ending, a time, a count and for shedding a size, for forgetting ids were expected')
end
for at = 4, forgetting and #ARGV or 0 do
  if not parse_id(ARGV[at]) then return refuse('drop: not an id') end
end
call('XLEN', owed)
call('HLEN', books)
local window = call('HMGET', mark, 'from', 'to', 'id')
local from, to, backlog_to = window[1], window[2], parse_id(window[3] or '0-0')
if lapsing and not from then return { 0, 0, 0 } end
local room
if shedding then
  local used = tonumber(match(call('INFO', 'memory'), 'used_memory:(%d+)'))
  if used <= target then return { 0, 0, -1 } end
  room = math.max(NODE, used - target)
end
-- Without an end the window goes on for ever; no id is beyond this one.
local first, last = { 0, 0 }, { BOUND, 0 }
if from == '-' then
  first = last
elseif from then
  first, last = parse_id(from), to and parse_id(to) or last
end
if not first or not last or not backlog_to then
  return refuse('damaged window ' .. (from or '') .. ' ' .. (to or '') .. ' ' .. (window[3] or ''))
end
local kept = {}
if lapsing and from ~= '-' then kept[1] = { from = first, to = last, last = to or '999999999999999-0' } end
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

local bound, position, looked, ended, next_ms = lapsing and now_ms() - limit or limit, '-', 0, {}, 0
local reached = false
-- Take an entry that nothing keeps; false when none after it is to be looked at.
local function take(entry, id)
  local e, m = entry[2][2] or '', entry[2][4] or ''
  local received = tonumber(match(m, '^(%d+)|') or 0)
  if not lapsing and (received > bound or room <= 0) then
    next_ms = received
    return false
  end
  if received <= bound then ended[#ended + 1] = { entry[1], id, m } end
  room = room and room - #e - #m - AROUND
  return true
end

local leased = 0
for at = 4, forgetting and #ARGV or 0 do
  local entry, id = call('XRANGE', owed, ARGV[at], ARGV[at])[1], parse_id(ARGV[at])
  if entry and kept_by(id) then
    leased = leased + 1
  elseif entry then
    ended[#ended + 1] = { entry[1], id, entry[2][4] or '' }
  end
end
while looked < most and not reached and not forgetting do
  local page = call('XRANGE', owed, position, '+', 'COUNT', math.min(100, most - looked))
  reached = #page == 0
  for _, entry in ipairs(page) do
    local id = parse_id(entry[1])
    looked, position = looked + 1, '(' .. entry[1]
    -- An id is no earlier than the store's time of the append: from the first that is too young to lapse on, all are.
    reached = not id or lapsing and id[1] > bound
    if reached then break end
    local range = kept_by(id)
    if range then
      position = '(' .. range.last
      break
    end
    reached = not take(entry, id)
    if reached then break end
  end
end

-- From here on everything is written, and nothing may raise.
local ahead, inside, backlog, ids, worth = 0, 0, 0, {}, {}
for at, entry in ipairs(ended) do
  local id = entry[2]
  ids[at] = entry[1]
  add_worth(worth, entry[3], -1)
  if before(id, first) then
    ahead = ahead + 1
  elseif not before(last, id) then
    inside = inside + 1
    if not before(backlog_to, id) then backlog = backlog + 1 end
  end
end
if #ids > 0 then call('XDEL', owed, unpack(ids)) end
count(books, ending, #ids)
keep_worth(books, worth)
count(mark, 'backlog', -backlog)
if from and from ~= '-' then
  count(mark, 'standing', -ahead)
  if to then count(mark, 'left', -inside) end
  -- Nothing is before the least id, and no range may end before it.
  local nothing = from == '0-0' or #pcall_('XRANGE', owed, '-', '(' .. from, 'COUNT', 1) == 0
  if nothing then call('HSET', mark, 'standing', 0) end
end
return { #ids, forgetting and leased or reached and 0 or 1, next_ms }
