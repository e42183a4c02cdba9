#!lua flags=allow-oom
-- Lease the oldest claimable entries of one lane: what is left of a due lease, or a gap between leases. Where a mode has
-- set a window (see mode), only what lies in it; the store itself sees to it, whatever a replica believes.
-- What could not be settled is not handed out: with a damaged key it would be sent for nothing, at each start anew.
-- KEYS  owed, leases, mark, books, dead
-- ARGV  lane (live or backlog), entries at most, bytes of e at most, lease in ms, age in ms at which an entry is no
--       longer live
-- Reply {now, first id, last id, number, due, time of first claim, 1 when fresh (nobody held it before) + 2 when it ends
-- before something old, doubts, then id, e, m of each entry}; {now} when there is none. Doubts: position from 0, time and
-- release of entries that were letters
local MOST, PAGE = 1000, 200 -- entries that came old and are passed in one claim: about 2 ms
local owed, leases, mark_key = KEYS[1], KEYS[2], KEYS[3]
local lane, limit, max_bytes = ARGV[1], whole(ARGV[2], 1, 10000), whole(ARGV[3], 1, BOUND)
local lease_ms, live_age = whole(ARGV[4], 1, BOUND), whole(ARGV[5], 0, BOUND)
if not (limit and max_bytes and lease_ms and live_age) or (lane ~= 'live' and lane ~= 'backlog') or #KEYS ~= 5 then
  return refuse('claim: lane, limit, bytes, lease and age were expected')
end
local now = now_ms()
call('HLEN', KEYS[4])
call('XLEN', KEYS[5])
if call('XLEN', owed) == 0 then return { now } end
local stood = call('HMGET', mark_key, 'id', 'from', 'to', 'standing', 'left')
local mark_id, low, high = stood[1] or '0-0', stood[2] or '0-0', stood[3] or '+'
if low == '-' then return { now } end -- stands by: nothing may be claimed
local mark, lowest = parse_id(mark_id), parse_id(low)
if not mark or not lowest then return refuse('damaged mark ' .. mark_id .. ' ' .. low) end

local held, number = {}, 0
local stored = call('HGETALL', leases)
for at = 1, #stored, 2 do
  if stored[at] == '#' then
    number = tonumber(stored[at + 1]) or 0
  else
    held[#held + 1] = parse_lease(stored[at], stored[at + 1])
    if not held[#held] then return refuse('damaged lease ' .. stored[at]) end
  end
end
table.sort(held, function(a, b) return before(a.from, b.from) end)

local function peek(from)
  local found = call('XRANGE', owed, from, high, 'COUNT', 1)[1]
  return found and { id = found[1], at = parse_id(found[1]), m = found[2][4] or '' }
end

-- The first entry from a position on that is in no lease, and the lease behind it. Leased ranges are jumped over, one
-- seek each: scanning them costs seven eighths of the throughput with 16 leases open.
local function gap_from(position)
  local found = peek(position)
  for _, lease in ipairs(held) do
    if not found or before(found.at, lease.from) then return found, lease end
    if not before(lease.to, found.at) then found = peek('(' .. lease.last) end
  end
  return found, nil
end

local gap, wall
local function too_old(m, otherwise)
  return now - tonumber(match(m, '^(%d+)|') or otherwise) > live_age
end

-- Received long before it was owed: out of a file, or a dead letter owed again.
local function came_old(at, m)
  return now - at[1] <= live_age and at[1] - tonumber(match(m, '^(%d+)|') or at[1]) > live_age
end

-- What came old is backlog from the start, and what is fresh behind it stays live: the mark moves to the last of a run
-- of them only. Each is passed once, so many that it takes several claims are passed faster than they can be sent.
-- A fresh entry whose call is under way is passed as well: given back without an answer, it comes back as backlog.
local function pass_old()
  local passed, looked = 0, 0
  while gap and looked < MOST and came_old(gap.at, gap.m) do
    for _, lease in ipairs(held) do
      if before(mark, lease.from) and before(lease.from, gap.at) then passed = passed + lease.left end
    end
    local from, to, some = gap.id, wall and '(' .. wall.first or high, nil
    repeat
      some = call('XRANGE', owed, from, to, 'COUNT', PAGE)
      for _, entry in ipairs(some) do
        local at = parse_id(entry[1])
        if not came_old(at, entry[2][4] or '') then
          some = {}
          break
        end
        mark_id, mark, from = entry[1], at, '(' .. entry[1]
        passed, looked = passed + 1, looked + 1
      end
    until #some < PAGE or looked >= MOST
    gap, wall = gap_from('(' .. mark_id)
  end
  call('HSET', mark_key, 'id', mark_id)
  count(mark_key, 'backlog', passed)
end

-- Level-triggered: asked at every claim, true as long as the oldest unclaimed entry after the mark is too old.
gap, wall = gap_from(before(mark, lowest) and low or '(' .. mark_id)
if gap and came_old(gap.at, gap.m) then pass_old() end
if gap and too_old(gap.m, gap.at[1]) then
  if not came_old(gap.at, gap.m) then
    mark_id = call('XREVRANGE', owed, high, low, 'COUNT', 1)[1][1]
    mark = parse_id(mark_id)
    local standing = math.max(0, tonumber(stood[4] or 0) or 0)
    local behind = stood[5] and math.max(0, tonumber(stood[5]) or 0) or math.max(0, call('XLEN', owed) - standing)
    call('HSET', mark_key, 'id', mark_id, 'backlog', behind)
  end
  gap = nil
end
if lane == 'backlog' then
  gap, wall = gap_from(low)
  if gap and before(mark, gap.at) then gap = nil end
end

-- How many stand by may be known roughly only (a long failover is not counted out): with an empty window it is certain.
local function none()
  if stood[2] and #held == 0 and not peek(low) then
    local field, known, right = 'standing', stood[4], call('XLEN', owed)
    if stood[3] then field, known, right = 'left', stood[5], 0 end
    if tonumber(known or -1) ~= right then call('HSET', mark_key, field, right, 'backlog', 0) end
  end
  return { now }
end

local doubts = {}
local function take(from, to, young)
  local taken, last, bytes, size, entries = {}, nil, 0, 16, 0
  while entries < limit do
    local some = call('XRANGE', owed, from, to, 'COUNT', math.min(size, limit - entries))
    if #some == 0 then break end
    for _, entry in ipairs(some) do
      bytes = bytes + #entry[2][2]
      -- The first entry always fits, however large: otherwise it could never leave.
      local old = young and too_old(entry[2][4] or '', now)
      if entries > 0 and (bytes > max_bytes or old) then return taken, last, entries, old end
      if entry[2][5] then
        local first_ms, released = doubt_of(entry[2])
        doubts[#doubts + 1], doubts[#doubts + 2], doubts[#doubts + 3] = entries, first_ms, released
      end
      entries, last = entries + 1, entry[1]
      taken[#taken + 1], taken[#taken + 2], taken[#taken + 3] = entry[1], entry[2][2], entry[2][4] or ''
    end
    from, size = '(' .. last, size * 4
  end
  return taken, last, entries
end

local function grant(taken, last, entries, first_ms, fresh)
  number = number + 1
  call('HSET', leases, '#', number, taken[1], lease_text(last, now + lease_ms, number, first_ms, entries))
  local reply = { now, taken[1], last, number, now + lease_ms, first_ms, fresh, doubts }
  for at = 1, #taken do reply[at + 8] = taken[at] end
  return reply
end

for _, due in ipairs(held) do
  if gap and before(gap.at, due.from) then break end
  -- Due so far ahead can only be from before the clock was set back; its holder is fenced like any other.
  local claimable = (due.due <= now or due.due > now + 10 * lease_ms) and not before(due.from, lowest)
  if claimable and (lane == 'backlog') == not before(mark, due.from) then
    local taken, last, entries = take(due.first, due.last)
    call('HDEL', leases, due.first) -- split, or empty and done with; its number is not given again
    if entries > 0 then
      local rest = last ~= due.last and peek('(' .. last)
      if rest and not before(due.to, rest.at) then
        number = number + 1
        call('HSET', leases, rest.id, lease_text(due.last, due.due, number, due.first_ms, due.left - entries))
      end
      return grant(taken, last, entries, due.first_ms, 0)
    end
  end
end
if not gap then return none() end
local to = wall and '(' .. wall.first or high
if lane == 'backlog' and not (wall and not before(mark, wall.from)) then to = mark_id end
local taken, last, entries, cut = take(gap.id, to, lane == 'live')
return grant(taken, last, entries, now, cut and 3 or 1)
