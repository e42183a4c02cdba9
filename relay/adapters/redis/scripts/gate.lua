#!lua flags=allow-oom
-- Compare and set: store a gate's record if the version is still the one the caller read.
-- KEYS  gate
-- ARGV  expected version, then field and value of each member of the record
-- Reply 1 when stored, 0 when another version is there
local expected = whole(ARGV[1], 0, BOUND)
if #KEYS ~= 1 or not expected or #ARGV < 3 or #ARGV % 2 == 0 then return refuse('gate: a version and a record') end
if (tonumber(call('HGET', KEYS[1], 'version') or 0) or 0) ~= expected then return 0 end
call('HSET', KEYS[1], unpack(ARGV, 2))
call('HSET', KEYS[1], 'version', expected + 1)
return 1
