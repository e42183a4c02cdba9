#!lua flags=allow-oom
-- Put people on the list of those whose events are refused, or take them off. Only marks of them are kept. What is older
-- than the list's memory is let go. Who is on it already is not written again, unless asked for a day later: a request
-- that is sent over and over pushes nobody off and lengthens nothing. A request older than the last word against it is
-- void. A full list takes nobody else in, and forgets nobody. A full memory does not refuse it: it takes some bytes.
-- KEYS  suppressed, its index of who is listed, its index of who was taken off
-- ARGV  1 refused or 0 not any more, ms the list remembers, identities it holds, then in turn a mark and when it was asked
--       for in ms (0: now)
-- Reply how many were changed (-1: there is no room, nothing was written), how many are listed now
local list, who, lifted, on = KEYS[1], KEYS[2], KEYS[3], ARGV[1]
local age, most = whole(ARGV[2], 1, BOUND), whole(ARGV[3], 1, BOUND)
local DAY_MS, PRUNED = 86400000, 500
if #KEYS ~= 3 or (on ~= '1' and on ~= '0') or not age or not most or #ARGV < 5 or #ARGV % 2 == 0 or #ARGV > 1100 then
  return refuse('suppress: a switch, an age, a size, and marks with times were expected')
end
for at = 5, #ARGV, 2 do
  if not whole(ARGV[at], 0, BOUND) then return refuse('suppress: a time was expected') end
end
call('XLEN', list)
call('HLEN', who)
call('HLEN', lifted)
local now = now_ms()

local function ms_of(id)
  local read = parse_id(id)
  return read and read[1] or 0
end

-- From here on everything is written, and nothing may raise.
if now > age then
  for _, line in ipairs(call('XRANGE', list, '-', string.format('(%.0f', now - age), 'COUNT', PRUNED)) do
    local index = line[2][1] == 'm' and who or lifted
    if call('HGET', index, line[2][2]) == line[1] then pcall_('HDEL', index, line[2][2]) end
    pcall_('XDEL', list, line[1])
  end
end

local plan, met, fresh = {}, {}, 0
for at = 4, #ARGV, 2 do
  local mark, told = ARGV[at], tonumber(ARGV[at + 1])
  local asked = (told == 0 or told > now) and now or told
  local line, lift = call('HGET', who, mark), call('HGET', lifted, mark)
  if met[mark] then
    -- named twice
  elseif on == '1' and lift and told > 0 and told <= ms_of(lift) then
    pcall_('HSET', lifted, mark, lift) -- the same again: what replicas confirm is a write
  elseif on == '1' and line and asked - ms_of(line) < DAY_MS then
    pcall_('HSET', who, mark, line)
  else
    plan[#plan + 1] = { mark, line, lift }
    fresh = fresh + (line and 0 or 1)
  end
  met[mark] = true
end
if on == '1' and fresh > 0 and call('HLEN', who) + fresh > most then return { -1, call('HLEN', who) } end

for _, one in ipairs(plan) do
  local mark, line, lift = one[1], one[2], one[3]
  local id = pcall_('XADD', list, '*', on == '1' and 'm' or 'x', mark)
  if type(id) == 'string' then
    pcall_('HSET', on == '1' and who or lifted, mark, id)
    if on == '1' and lift then pcall_('HDEL', lifted, mark) end
    if on == '0' and line then pcall_('HDEL', who, mark) end
    if line then pcall_('XDEL', list, line) end
    if lift then pcall_('XDEL', list, lift) end
  end
end
return { on == '1' and fresh or #plan, call('HLEN', who) }
