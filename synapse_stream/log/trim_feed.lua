-- Remove the oldest pointers of a feed and write down which was the last: whoever has read less
-- than that must not go on.
-- KEYS: feed, trimmed. ARGV: id of the first pointer that stays.
-- The trimming goes first: a server that is out of memory lets it through, and then the rest, too.

local last = redis.call('XREVRANGE', KEYS[1], '(' .. ARGV[1], '-', 'COUNT', 1)[1]
local removed = redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
if last then
  redis.call('SET', KEYS[2], last[1])
end
return removed
