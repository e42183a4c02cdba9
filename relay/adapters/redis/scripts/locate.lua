#!lua flags=no-writes
-- Where a window begins: the first entry received at or after a moment, looked for page by page, and how many entries
-- there are from it on.
-- KEYS  owed
-- ARGV  position and end as in XRANGE, moment in ms (0: found already), entries to look at
-- Reply {entries looked at, last id, id found or '', entries from it on}
local since, most = whole(ARGV[3], 0, BOUND), whole(ARGV[4], 1, 1000)
if #KEYS ~= 1 or #ARGV ~= 4 or not since or not most then return refuse('locate: a range, a moment, a count') end
local page = call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', most)
local found, last = nil, ''
for at, entry in ipairs(page) do
  local received = tonumber(match(entry[2][4] or '', '^(%d+)|') or 0)
  if not found and received >= since then found = at end
  last = entry[1]
end
return { #page, last, found and page[found][1] or '', found and #page - found + 1 or 0 }
