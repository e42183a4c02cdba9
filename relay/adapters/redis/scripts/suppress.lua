#!lua flags=allow-oom
-- Put people on the list of those whose events are refused, or take them off. Only marks of them are kept. What is older
-- than the list's memory, or more than it holds, is let go. A full memory does not refuse it: it takes some bytes.
-- KEYS  suppressed
-- ARGV  1 refused or 0 not any more, ms the list remembers, marks it holds, then the marks
-- Reply how many lines it has now
local list, on = KEYS[1], ARGV[1]
local age, most = whole(ARGV[2], 1, BOUND), whole(ARGV[3], 1, BOUND)
if #KEYS ~= 1 or (on ~= '1' and on ~= '0') or not age or not most or #ARGV < 4 or #ARGV > 1000 then
  return refuse('suppress: a switch, an age, a size and marks were expected')
end
call('XLEN', list)
local oldest = math.max(0, now_ms() - age)

-- From here on everything is written, and nothing may raise.
for at = 4, #ARGV do pcall_('XADD', list, '*', on == '1' and 'm' or 'x', ARGV[at]) end
pcall_('XTRIM', list, 'MINID', string.format('%.0f', oldest))
pcall_('XTRIM', list, 'MAXLEN', string.format('%.0f', most))
return call('XLEN', list)
