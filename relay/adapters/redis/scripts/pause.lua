#!lua flags=allow-oom
-- An operator's pause, or its end. A script because a plain HSET is refused while the memory is full, and then above all
-- somebody may have to stop a destination.
-- KEYS  gate
-- ARGV  1 paused, 0 not
-- Reply 1
if #KEYS ~= 1 or #ARGV ~= 1 or (ARGV[1] ~= '0' and ARGV[1] ~= '1') then return refuse('pause: 0 or 1 was expected') end
call('HSET', KEYS[1], 'paused', ARGV[1])
return 1
