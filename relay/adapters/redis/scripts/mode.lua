#!lua flags=allow-oom
-- Compare and set: store a destination's mode and what follows from it for each of its streams, the window of entries
-- that may be claimed. A failback is closed no sooner than its grace is over, and finished no sooner than its window is
-- empty.
-- KEYS  mode, then per stream: owed, mark
-- ARGV  expected version, mode, since in ms, closed (0 or 1), grace in ms; then per stream, for a failover: first id of
--       the window, how many entries were counted from there on, and the last of them ('' when there was none; 'former'
--       when the count ended where the former window began), else three empty words
-- Reply 1 when stored, 0 when another version is there or it is too early
local MODES = { active = true, standby = true, failover = true, failback = true }
local key, mode, closed, now = KEYS[1], ARGV[2], ARGV[4], now_ms()
local expected, since = whole(ARGV[1], 0, BOUND), whole(ARGV[3], 0, BOUND)
local grace, count_of = whole(ARGV[5], 0, BOUND), (#KEYS - 1) / 2
if not (expected and since and grace and MODES[mode or '']) or (closed ~= '0' and closed ~= '1') then
  return refuse('mode: a version, a mode, times and a flag were expected')
end
if count_of < 1 or count_of ~= math.floor(count_of) or #ARGV ~= 5 + 3 * count_of then
  return refuse('mode: streams were expected')
end
local stored = call('HMGET', key, 'version', 'mode', 'closed', 'until_ms')
if (tonumber(stored[1] or 0) or 0) ~= expected then return 0 end
local finishing = stored[2] == 'failback'
if mode == 'failback' and closed == '1' and now < (tonumber(stored[4] or 0) or 0) + grace then return 0 end
if mode == 'standby' and stored[2] and not (finishing and stored[3] == '1') then return 0 end

local streams = {}
for index = 1, count_of do
  local owed, mark, at = KEYS[2 * index], KEYS[2 * index + 1], 3 + 3 * index
  local window = call('HMGET', mark, 'from', 'to', 'standing')
  local stream = { mark = mark, from = ARGV[at], length = call('XLEN', owed), standing = tonumber(window[3] or 0) or 0 }
  if mode == 'failover' then
    local counted = whole(ARGV[at + 1], 0, BOUND)
    if not parse_id(stream.from) or not counted then return refuse('mode: where a window begins was expected') end
    if ARGV[at + 2] == 'former' then
      stream.standing = math.max(0, stream.standing - counted)
    else
      local tail = ARGV[at + 2] ~= '' and '(' .. ARGV[at + 2] or stream.from
      local more = #call('XRANGE', owed, tail, '+', 'COUNT', 1000)
      if more == 1000 then return 0 end -- a flood meanwhile: to be counted again
      stream.standing = math.max(0, stream.length - counted - more)
    end
  elseif mode == 'standby' and finishing then
    if #call('XRANGE', owed, window[1] or '-', window[2] or '+', 'COUNT', 1) > 0 then return 0 end
  elseif mode == 'failback' and stored[2] == 'active' then
    stream.from, stream.standing = '0-0', 0
  end
  local last = call('XREVRANGE', owed, '+', '-', 'COUNT', 1)[1]
  stream.last = last and last[1] or '0-0'
  streams[index] = stream
end

-- From here on everything is written, and nothing may raise.
local ends = mode == 'failback' and (closed == '1' and stored[4] or now) or 0
call('HSET', key, 'mode', mode, 'since_ms', ARGV[3], 'until_ms', ends, 'closed', closed, 'version', expected + 1)
for _, stream in ipairs(streams) do
  local mark = stream.mark
  if mode == 'failback' then
    if stream.from == '0-0' then call('HSET', mark, 'from', '0-0', 'standing', 0) end
    if closed == '1' then
      call('HSET', mark, 'to', stream.last, 'left', math.max(0, stream.length - stream.standing))
    end
  else
    -- The next claim finds out anew what is backlog: it looks at the age of the oldest that may be claimed.
    call('HSET', mark, 'id', '0-0', 'backlog', 0)
    call('HDEL', mark, 'from', 'to', 'standing', 'left')
    if mode == 'standby' then call('HSET', mark, 'from', '-') end
    if mode == 'failover' then call('HSET', mark, 'from', stream.from, 'standing', stream.standing) end
  end
end
return 1
