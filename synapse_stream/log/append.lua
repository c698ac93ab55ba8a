-- Append one batch exactly once, or say what the server has of its producer.
-- KEYS: job stream, producers hash, feed; all with one hash tag.
-- ARGV: job id, producer, first, last, chain hash, 'd' or 'z', data.
-- Reply: {1, entry id} appended, {0, state} known already, {2, state} a gap before it;
-- state is the chain hash (32 bytes) and the last number in decimal, or '' if there is none.

local state = redis.call('HGET', KEYS[2], ARGV[2])
local last = state and tonumber(string.sub(state, 33)) or -1
local first = tonumber(ARGV[3])
if tonumber(ARGV[4]) < first then
  return redis.error_reply('ERR a batch without events')
end
if first ~= last + 1 then
  return {first > last and 2 or 0, state or ''}
end

-- The feed goes first and gives the id: an entry and its pointer bear the same one. A feed's top is
-- above that of its jobs, unless somebody deleted the feed: then it is lifted to this job's top.
local count = string.format('%d', tonumber(ARGV[4]) - last)
local function append()
  local id = redis.call('XADD', KEYS[3], '*', 'j', ARGV[1], 'n', count)
  local added = redis.pcall('XADD', KEYS[1], id,
    'p', ARGV[2], 'n', ARGV[3], 'm', ARGV[4], 'h', ARGV[5], ARGV[6], ARGV[7])
  if type(added) == 'string' then
    return id
  end
  redis.call('XDEL', KEYS[3], id)
  return nil, added
end

local id, failure = append()
if not id and string.find(failure.err, 'equal or smaller', 1, true) then
  local info = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then
      redis.call('XSETID', KEYS[3], info[i + 1])
    end
  end
  id, failure = append()
end
if not id then
  return failure
end
-- A stream that was dropped when nothing was left of it begins anew. It counts an entry more than it
-- has, so that a reader asks the archive for what was before.
if redis.call('XLEN', KEYS[1]) == 1 and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('XSETID', KEYS[1], id, 'ENTRIESADDED', 2)
end
redis.call('HSET', KEYS[2], ARGV[2], ARGV[5] .. ARGV[4])
return {1, id}
