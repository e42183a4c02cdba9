#!lua flags=allow-oom
-- Give entries of one lease their ending, and say what becomes of the rest. Changes nothing when lease and number are
-- not the caller's any more. Counters move by what was really removed, so a repetition counts nothing twice.
-- The calls that were made are written down in any case: they were made, whoever holds the lease now. A log that cannot
-- be written fails nothing, and one written twice by a repetition is read once.
-- With an archive, what was delivered or is unmatched goes there in the same breath; one that cannot be written fails
-- nothing.
-- KEYS  owed, leases, mark, books, dead, attempts; to archive as well: archive
-- ARGV  first id and number of the lease, class, lease in ms, rest (keep, release or unclaim)
--       about how many calls the log keeps; calls, then their texts
--       delivered, then ids; unmatched, then ids; forgotten, then ids; dead, then per letter: id, reason, message, code, request id,
--       accepted subscriptions (escaped, joined by |), earliest time TikTok may have got it (0: it cannot have it)
--       with an archive: name of the destination
-- Reply {1, delivered, unmatched, dead, missing in the archive, forgotten}, or {0} when not held
local owed, leases, mark_key, books, dead, log = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local REASONS = { refused = true, unmappable = true, expired = true, overlap = true, ambiguous = true }
local first, number, class, lease_ms, rest = ARGV[1], ARGV[2], ARGV[3], whole(ARGV[4], 1, BOUND), ARGV[5]
local archive, destination = KEYS[7], KEYS[7] and ARGV[#ARGV]
if #KEYS < 6 or #KEYS > 7 or not whole(number, 1, BOUND) or not lease_ms or not parse_id(first) then
  return refuse('settle: a lease was expected')
end
if rest ~= 'keep' and rest ~= 'release' and rest ~= 'unclaim' then return refuse('settle: unknown rest') end
local log_length, calls = whole(ARGV[6], 1, BOUND), whole(ARGV[7], 0, 10000)
if not log_length or not calls or #ARGV < 7 + calls then return refuse('settle: calls were expected') end
call('XLEN', owed)
call('XLEN', dead)
call('HLEN', books)
local stood = call('HMGET', mark_key, 'id', 'from', 'left')
local mark = parse_id(stood[1] or '0-0') or { 0, 0 }
local lease = parse_lease(first, call('HGET', leases, first))
local function write_down()
  for at = 8, 7 + calls do pcall_('XADD', log, 'MAXLEN', '~', log_length, '*', 'a', ARGV[at]) end
end
if not lease or lease.number ~= tonumber(number) then
  write_down()
  return { 0 }
end

-- Reads a count and so many records of a width, each starting with an id inside the lease; where they end.
local arg = 8 + calls
local function records(width)
  local wanted, from = whole(ARGV[arg], 0, 10000), arg + 1
  if not wanted or #ARGV < arg + wanted * width then return nil end
  for at = from, arg + wanted * width, width do
    local id = parse_id(ARGV[at])
    if not id or before(id, lease.from) or before(lease.to, id) then return nil end
  end
  arg = from + wanted * width
  return from, arg - 1
end
local delivered_from, delivered_to = records(1)
if not delivered_from then return refuse('settle: an id outside the lease') end
local unmatched_from, unmatched_to = records(1)
if not unmatched_from then return refuse('settle: an id outside the lease') end
local forgotten_from, forgotten_to = records(1)
if not forgotten_from then return refuse('settle: an id outside the lease') end
local dead_from, dead_to = records(7)
if not dead_from or arg ~= #ARGV + (archive and 0 or 1) then return refuse('settle: an id outside the lease') end
for at = dead_from, dead_to, 7 do
  if not REASONS[ARGV[at + 1]] then return refuse('settle: unknown reason') end
  if not whole(ARGV[at + 6], 0, BOUND) then return refuse('settle: a time was expected') end
end

-- From here on everything is written, and nothing may raise.
local worth, fault, now, missing = {}, nil, now_ms(), 0
write_down()

local function fields(id)
  local found = call('XRANGE', owed, id, id)[1]
  return found and found[2]
end

local function remove(id, m)
  call('XDEL', owed, id)
  add_worth(worth, m or '', -1)
end

-- TikTok may have what was delivered since the first claim, unless it may have had it before.
local function keep(id, entry, delivered)
  local record, first_ms = { 'e', entry[2], 'm', entry[4] or '', 'd', destination, 'i', id }, doubt_of(entry)
  if delivered and (first_ms == 0 or lease.first_ms < first_ms) then first_ms = lease.first_ms end
  if first_ms > 0 then record[9], record[10] = 'f', first_ms end
  if not delivered then record[#record + 1], record[#record + 2] = 'u', 1 end
  if type(pcall_('XADD', archive, '*', unpack(record))) == 'table' then missing = missing + 1 end
end

-- Without a word about delivery, nothing goes to the archive: what is to be forgotten, say.
local function remove_all(from, to, delivered)
  local removed = 0
  for at = from, to do
    local entry = fields(ARGV[at])
    if entry then
      if archive and delivered ~= nil then keep(ARGV[at], entry, delivered) end
      remove(ARGV[at], entry[4])
      removed = removed + 1
    end
  end
  return removed
end

-- m with the names of the newly accepted subscriptions added, so that a requeue resends only the others.
local function with_accepted(m, names)
  local known = {}
  for name in string.gmatch(match(m, '^[^|]*|[^|]*|[^|]*|[^|]*|?(.*)$') or '', '[^|]+') do known[name] = true end
  for name in string.gmatch(names, '[^|]+') do
    if not known[name] then
      m, known[name] = m .. '|' .. name, true
    end
  end
  return m
end

local delivered = remove_all(delivered_from, delivered_to, true)
local unmatched = remove_all(unmatched_from, unmatched_to, false)
local forgotten = remove_all(forgotten_from, forgotten_to)
local buried, reasons = 0, {}
for at = dead_from, dead_to, 7 do
  local entry = fields(ARGV[at])
  if entry then
    local m, reason = entry[4] or '', ARGV[at + 1]
    local letter = { 'e', entry[2], 'm', with_accepted(m, ARGV[at + 5]), 'c', class, 'r', reason, 't', ARGV[at + 2],
      'n', ARGV[at + 3], 'q', ARGV[at + 4], 'f', ARGV[at + 6], 'd', now, 'i', ARGV[at] }
    local _, released = doubt_of(entry)
    if released == 1 then letter[#letter + 1], letter[#letter + 2] = 'l', 1 end
    letter = pcall_('XADD', dead, '*', unpack(letter))
    if type(letter) == 'table' then
      fault = letter -- no letter, no ending: the entry stays owed
    else
      remove(ARGV[at], m)
      buried, reasons[reason] = buried + 1, (reasons[reason] or 0) + 1
    end
  end
end

count(books, 'delivered', delivered)
count(books, 'unmatched', unmatched)
count(books, 'forgotten', forgotten)
for reason, times in pairs(reasons) do count(books, 'dead:' .. reason, times) end
keep_worth(books, worth)
local removed = delivered + unmatched + forgotten + buried
if not before(mark, lease.from) then count(mark_key, 'backlog', -removed) end
local low = parse_id(stood[2] or '')
if low and before(lease.from, low) then
  count(mark_key, 'standing', -removed) -- leased before the window was set
elseif stood[3] then
  count(mark_key, 'left', -removed) -- of what a failback has to finish
end
if rest == 'unclaim' or #call('XRANGE', owed, lease.first, lease.last, 'COUNT', 1) == 0 then
  call('HDEL', leases, first)
else
  local due = rest == 'keep' and now + lease_ms or 0
  call('HSET', leases, first, lease_text(lease.last, due, lease.number, lease.first_ms, lease.left - removed))
end
if fault then return fault end
return { 1, delivered, unmatched, buried, missing, forgotten }
