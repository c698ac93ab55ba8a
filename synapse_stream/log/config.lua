-- Make the deployment's config if there is none, and return it.
-- KEYS: config. ARGV: format, partitions, id for a deployment that has none.

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2])
end
local there = redis.call('HMGET', KEYS[1], 'format', 'partitions', 'id')
if there[1] == ARGV[1] and not there[3] then
  redis.call('HSET', KEYS[1], 'id', ARGV[3])
  there[3] = ARGV[3]
end
return there
