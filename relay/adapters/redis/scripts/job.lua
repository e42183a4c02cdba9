#!lua flags=allow-oom
-- Compare and set: store the record of a replay. A new job takes the place of the one before; of the same job only the
-- fields given are written, because steps (replay.lua) write the others meanwhile.
-- KEYS  job
-- ARGV  expected version, lease in ms (0: nobody has it), 1 for a new job else 0; then field and value of each member
-- Reply 1 when stored, 0 when another version is there
local expected, lease = whole(ARGV[1], 0, BOUND), whole(ARGV[2], 0, BOUND)
if #KEYS ~= 1 or not expected or not lease or (ARGV[3] ~= '0' and ARGV[3] ~= '1') or #ARGV < 5 or #ARGV % 2 == 0 then
  return refuse('job: a version, a lease, a flag and a record were expected')
end
if (tonumber(call('HGET', KEYS[1], 'version') or 0) or 0) ~= expected then return 0 end
if ARGV[3] == '1' then call('DEL', KEYS[1]) end
call('HSET', KEYS[1], unpack(ARGV, 4))
call('HSET', KEYS[1], 'version', expected + 1, 'due', lease > 0 and now_ms() + lease or 0)
return 1
