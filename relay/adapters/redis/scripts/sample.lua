#!lua flags=no-writes
-- Look into an owed stream at one place. Ids order but do not tell time, and nothing tells an entry's rank: so what is
-- found here is a time of receipt, and how many entries a window of ids holds.
-- KEYS  owed
-- ARGV  window in ms of the ids: from, to (both inside); entries counted at most
-- Reply time of receipt of the first entry from there on ('' when there is none), entries in the window
local owed, from, to, most = KEYS[1], whole(ARGV[1], 0, BOUND), whole(ARGV[2], 0, BOUND), whole(ARGV[3], 1, 1000)
if #KEYS ~= 1 or not from or not to or not most then return refuse('sample: a window and a count were expected') end
local low, high = string.format('%.0f', from), string.format('%.0f', to)
local first = call('XRANGE', owed, low, '+', 'COUNT', 1)[1]
local received = first and match(first[2][4] or '', '^(%d+)|') or ''
return { received, to >= from and #call('XRANGE', owed, low, high, 'COUNT', most) or 0 }
