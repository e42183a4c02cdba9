#!lua flags=allow-oom
-- What an operator does with dead letters: owe them again, give them up, or erase them with a person's data. What is owed again keeps since when TikTok
-- may have it; released, it may be counted twice, and says so.
-- KEYS  dead, books:-, then per class: owed, books
-- ARGV  requeue, release, discard or erase, classes, then their names; ids, then the ids
-- Reply how many letters really moved
local BOOKED = { requeue = 'requeued', release = 'requeued', discard = 'discarded', erase = 'erased' }
local dead, dead_books, action = KEYS[1], KEYS[2], ARGV[1]
local classes = whole(ARGV[2], 0, 16)
if not BOOKED[action or ''] or not classes or #KEYS ~= 2 + 2 * classes then
  return refuse('move: an action and its classes were expected')
end
local streams = {}
for index = 1, classes do
  local owed, books = KEYS[1 + 2 * index], KEYS[2 + 2 * index]
  streams[ARGV[2 + index] or ''] = { owed = owed, books = books, moved = 0, worth = {} }
  call('XLEN', owed)
  call('HLEN', books)
end
local wanted, from = whole(ARGV[3 + classes], 0, 10000), 4 + classes
if not wanted or #ARGV ~= from - 1 + wanted then return refuse('move: ids were expected') end
for at = from, #ARGV do
  if not parse_id(ARGV[at]) then return refuse('move: not an id') end
end
call('XLEN', dead)
local bytes = tonumber(call('HGET', dead_books, 'bytes') or 0) or 0

-- From here on everything is written, and nothing may raise.
local function owe(owed, letter)
  local entry, first_ms, released = { 'e', letter[2], 'm', letter[4] }, doubt_of(letter)
  if first_ms > 0 then entry[#entry + 1], entry[#entry + 2] = 'f', first_ms end
  if released == 1 or action == 'release' then entry[#entry + 1], entry[#entry + 2] = 'l', 1 end
  return type(pcall_('XADD', owed, '*', unpack(entry))) ~= 'table'
end

local moved, freed, gone = 0, 0, action == 'discard' or action == 'erase'
for at = from, #ARGV do
  local found = call('XRANGE', dead, ARGV[at], ARGV[at])[1]
  local letter = found and found[2] or {}
  local stream = streams[letter[6] or '']
  local owed_again = not gone and stream and owe(stream.owed, letter)
  if found and (gone or owed_again) then
    call('XDEL', dead, ARGV[at])
    moved = moved + 1
    if stream then
      stream.moved = stream.moved + 1
      add_worth(stream.worth, letter[4] or '', 1)
    else
      freed = freed + #(letter[2] or '')
    end
  end
end
for _, stream in pairs(streams) do
  count(stream.books, BOOKED[action], stream.moved)
  if not gone then keep_worth(stream.books, stream.worth) end
end
if freed > 0 then pcall_('HSET', dead_books, 'bytes', string.format('%.0f', math.max(0, bytes - freed))) end
return moved
