#!lua flags=allow-oom
-- Write down what happens in an incident: its record if the version is still the one the caller read, and lines of its
-- log. A full store is one of the things it tells about, so memory does not refuse it: it writes little, and the log and
-- the number of incidents have an end.
-- KEYS  incidents of the destination, log of this one, log of the one to forget
-- ARGV  number, expected version (or - to write to the log alone), record, number to forget, lines the log may keep,
--       then the lines
-- Reply 1 when written; 0 when another version is there, or no incident to whose log to write
local incidents, log, old_log = KEYS[1], KEYS[2], KEYS[3]
local number, old_number, most = whole(ARGV[1], 1, BOUND), whole(ARGV[4], -BOUND, BOUND), whole(ARGV[5], 1, BOUND)
local expected = whole(ARGV[2], 0, BOUND)
if #KEYS ~= 3 or not (number and old_number and most) or not (expected or ARGV[2] == '-') or #ARGV > 2000 then
  return refuse('incident: numbers, a version and lines were expected')
end
if expected and ARGV[3] == '' then return refuse('incident: a record was expected') end
if old_number >= number then return refuse('incident: only an older one may be forgotten') end
local stored = call('HGET', incidents, ARGV[1])
call('XLEN', log)
if expected then
  if (tonumber(match(stored or '', '^(%d+) ') or 0) or 0) ~= expected then return 0 end
elseif not stored then
  return 0
end

-- From here on everything is written, and nothing may raise.
for at = 6, #ARGV do pcall_('XADD', log, 'MAXLEN', '~', ARGV[5], '*', 'd', ARGV[at]) end
if expected then call('HSET', incidents, ARGV[1], string.format('%.0f ', expected + 1) .. ARGV[3]) end
if expected == 0 and old_number > 0 then
  call('HDEL', incidents, ARGV[4])
  call('UNLINK', old_log)
end
return 1
