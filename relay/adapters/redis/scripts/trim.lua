#!lua flags=allow-oom
-- Give up the oldest dead letters: those that died too long ago, and as many more as there are bytes too many.
-- KEYS  dead, books:-, then per class: books
-- ARGV  moment in ms: what died before is too old; bytes to free; letters at most; classes, then their names
-- Reply {given up, 1 when there may be more}
local AROUND = 96 -- bytes that a letter takes besides its two large fields
local dead, dead_books = KEYS[1], KEYS[2]
local moment, room, most = whole(ARGV[1], -BOUND, BOUND), whole(ARGV[2], 0, BOUND), whole(ARGV[3], 1, 1000)
local classes = whole(ARGV[4], 0, 16)
if not moment or not room or not most or not classes or #KEYS ~= 2 + classes or #ARGV ~= 4 + classes then
  return refuse('trim: a moment, bytes, a count and classes were expected')
end
local books, given_up = {}, {}
for index = 1, classes do
  books[ARGV[4 + index]] = KEYS[2 + index]
  call('HLEN', KEYS[2 + index])
end
call('HLEN', dead_books)
local page = call('XRANGE', dead, '-', '+', 'COUNT', most)

-- From here on everything is written, and nothing may raise.
local ids, freed = {}, 0
for _, letter in ipairs(page) do
  local fields, died = letter[2], 0
  for at = 1, #fields, 2 do
    if fields[at] == 'd' then died = tonumber(fields[at + 1]) or 0 end
  end
  if died >= moment and room <= 0 then break end
  local class = fields[6] or ''
  ids[#ids + 1], given_up[class] = letter[1], (given_up[class] or 0) + 1
  room = room - #(fields[2] or '') - #(fields[10] or '') - AROUND
  if not books[class] then freed = freed + #(fields[2] or '') end
end
if #ids > 0 then call('XDEL', dead, unpack(ids)) end
for class, count_ in pairs(given_up) do count(books[class] or dead_books, 'trimmed', count_) end
count(dead_books, 'bytes', -freed)
return { #ids, #ids == most and 1 or 0 }
