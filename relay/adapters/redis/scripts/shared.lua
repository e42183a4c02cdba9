-- What every script needs; the loader puts it behind the first line of each.
-- Law of all scripts: every argument and every key's type is checked before the first write, and after it nothing may
-- raise: a Lua error in the middle of a script leaves what was written so far.
local call, pcall_, match, find = redis.call, redis.pcall, string.match, string.find
local BOUND = 9e15 -- sums of micro-units stay below, where doubles are exact; a total beyond is left alone

local function refuse(why)
  return redis.error_reply('RELAY ' .. why)
end

local function now_ms()
  local time = call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- An integer argument within limits, or nil.
local function whole(text, low, high)
  local number = text and #text <= 16 and find(text, '^%-?%d+$') and tonumber(text)
  return number and number >= low and number <= high and number or nil
end

-- A stream id as two numbers, or nil. Fifteen digits are exact in a double, and no clock needs more.
local function parse_id(id)
  local ms, seq = match(id or '', '^(%d+)%-(%d+)$')
  if ms and #ms <= 15 and #seq <= 15 then
    return { tonumber(ms), tonumber(seq) }
  end
end

local function before(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end

-- One lease as stored: last id, due, number, time of first claim, entries left.
local function parse_lease(first, text)
  local last, due, number, first_ms, left = match(text or '', '^(%S+) (%d+) (%d+) (%d+) (%-?%d+)$')
  local from, to = parse_id(first), parse_id(last)
  if from and to then
    return {
      first = first, last = last, from = from, to = to, due = tonumber(due), number = tonumber(number),
      first_ms = tonumber(first_ms), left = tonumber(left),
    }
  end
end

local function lease_text(last, due, number, first_ms, left)
  return string.format('%s %.0f %.0f %.0f %d', last, due, number, first_ms, left)
end

-- What an owed entry or a dead letter has besides e and m: the earliest time TikTok may have got it (0: it cannot have
-- it), and 1 when an operator released it. An ordinary entry has neither field.
local function doubt_of(fields)
  local first_ms, released = 0, 0
  for at = 5, #fields, 2 do
    if fields[at] == 'f' then first_ms = whole(fields[at + 1], 0, BOUND) or 0 end
    if fields[at] == 'l' then released = 1 end
  end
  return first_ms, released
end

-- Add the worth told by an entry's m (received|micros|currency|…) to sums, by currency.
local function add_worth(sums, m, sign)
  local micros, currency = match(m, '^%d+|(%-?%d+)|(%u*)|')
  if micros and #micros <= 16 then
    sums[currency] = (sums[currency] or 0) + sign * tonumber(micros)
  end
end

local function keep_worth(books, sums)
  for currency, sum in pairs(sums) do
    local field = 'v:' .. currency
    local total = (tonumber(call('HGET', books, field) or 0) or 0) + sum
    if total > -BOUND and total < BOUND then
      call('HSET', books, field, string.format('%.0f', total))
    end
  end
end

-- A counter that cannot count (overflow, somebody wrote text into it) must not stop the script.
local function count(key, field, by)
  if by ~= 0 then
    pcall_('HINCRBY', key, field, by)
  end
end
