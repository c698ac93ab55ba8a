-- Copy the next entries of a stream that have ids below a limit. A copy that somebody began of
-- another stream is begun anew.
-- KEYS: stream, its copy. ARGV: the limit, most entries. Reply: how many were copied.

local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last and #redis.call('XRANGE', KEYS[1], last[1], last[1]) == 0 then
  redis.call('UNLINK', KEYS[2])
  last = nil
end
local after = last and '(' .. last[1] or '-'
local entries = redis.call('XRANGE', KEYS[1], after, '(' .. ARGV[1], 'COUNT', ARGV[2])
for _, entry in ipairs(entries) do
  redis.call('XADD', KEYS[2], entry[1], unpack(entry[2], 1, math.min(#entry[2], 4000)))
end
return #entries
