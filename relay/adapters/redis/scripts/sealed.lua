#!lua flags=no-writes
-- Look for records that were sealed with certain keys. Only their first bytes are read, and none is handed out.
-- KEYS  stream
-- ARGV  field of the record, id to start behind ('' = the beginning), entries to look at, bits of a header that say
--       sealed, then the 4-byte ids of the keys
-- Reply {entries looked at, last id, how many are sealed with one of the keys}
local stream, field, after = KEYS[1], ARGV[1], ARGV[2]
local most, cipher = whole(ARGV[3], 1, 10000), whole(ARGV[4], 1, 255)
if #KEYS ~= 1 or not most or not cipher or #ARGV < 5 or (after ~= '' and not parse_id(after)) then
  return refuse('sealed: a field, an id, a count, a bit and keys were expected')
end
local keys = {}
for at = 5, #ARGV do keys[ARGV[at]] = true end
local page = call('XRANGE', stream, after == '' and '-' or '(' .. after, '+', 'COUNT', most)
local found = 0
for _, entry in ipairs(page) do
  for at = 1, #entry[2], 2 do
    local kept = entry[2][at + 1]
    if string.byte(kept, 1) == 255 then kept = string.sub(kept, 2) end -- a sealed text
    local sealed = math.floor((string.byte(kept, 1) or 0) / cipher) % 2 == 1
    if entry[2][at] == field and sealed and keys[string.sub(kept, 2, 5)] then found = found + 1 end
  end
end
return { #page, #page > 0 and page[#page][1] or after, found }
