#!lua flags=allow-oom
-- A replica says that it delivers; those that have not said so for too long are gone, and so is who said it in a future
-- that a clock was set back from.
-- KEYS  roster
-- ARGV  replica, ms after which one is gone
-- Reply how many there are
local roster, patience = KEYS[1], whole(ARGV[2], 1, BOUND)
if #KEYS ~= 1 or #ARGV ~= 2 or ARGV[1] == '' or not patience then return refuse('roster: a name and a patience') end
call('ZCARD', roster)
local now = now_ms()
call('ZREMRANGEBYSCORE', roster, '-inf', string.format('(%.0f', now - patience))
call('ZREMRANGEBYSCORE', roster, string.format('(%.0f', now + patience), '+inf')
call('ZADD', roster, string.format('%.0f', now), ARGV[1])
return call('ZCARD', roster)
