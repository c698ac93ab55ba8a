-- Remove the oldest entries of a job's stream; drop the stream when none is left. What the server
-- knows of its producers stays, so that what is sent again is known.
-- KEYS: job stream. ARGV: id of the first entry that stays.
-- Reply: how many were removed, 1 if the stream was dropped.

if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then
  return {0, 0}
end
local removed = redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1])
if redis.call('XLEN', KEYS[1]) > 0 then
  return {removed, 0}
end
redis.call('UNLINK', KEYS[1])
return {removed, 1}
