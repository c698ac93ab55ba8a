-- Make the deployment's config if there is none, and return it.
-- KEYS: config. ARGV: format, partitions, id for a deployment that has none.

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'format', ARGV[1], 'partitions', ARGV[2])
end
if redis.call('HGET', KEYS[1], 'format') == ARGV[1] then
  redis.call('HSETNX', KEYS[1], 'id', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'format', 'partitions', 'id')
