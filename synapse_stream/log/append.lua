-- Append batches of one partition, each exactly once, or say what the server has of its producer.
-- KEYS: feed, then of each batch its job's stream and producers hash; all with one hash tag.
-- ARGV: of each batch job id, producer, first, last, chain hash, 'd' or 'z', data.
-- Reply: of each batch {1, entry id} appended, {0, state} known already, {2, state} a gap before it,
-- or the error of its own keys, which costs the others nothing;
-- state is the chain hash (32 bytes) and the last number in decimal, or '' if there is none.

local feed = KEYS[1]

-- The feed goes first and gives the id: an entry and its pointer bear the same one. A feed's top is
-- above that of its jobs, unless somebody deleted the feed: then it is lifted to this job's top.
local function add(stream, job, count, fields)
  local id = redis.call('XADD', feed, '*', 'j', job, 'n', count)
  local added = redis.pcall('XADD', stream, id, unpack(fields))
  if type(added) == 'string' then
    return id
  end
  redis.call('XDEL', feed, id)
  return nil, added
end

local function append(stream, producers, job, producer, first, last, hash, kind, data)
  local state = redis.pcall('HGET', producers, producer)
  if type(state) == 'table' then
    return state
  end
  local newest = state and tonumber(string.sub(state, 33)) or -1
  local number = tonumber(first)
  if tonumber(last) < number then
    return redis.error_reply('ERR a batch without events')
  end
  if number ~= newest + 1 then
    return {number > newest and 2 or 0, state or ''}
  end

  local count = string.format('%d', tonumber(last) - newest)
  local fields = {'p', producer, 'n', first, 'm', last, 'h', hash, kind, data}
  local id, failure = add(stream, job, count, fields)
  if not id and string.find(failure.err, 'equal or smaller', 1, true) then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        redis.call('XSETID', feed, info[i + 1])
      end
    end
    id, failure = add(stream, job, count, fields)
  end
  if not id then
    return failure
  end
  -- A stream that was dropped when nothing was left of it begins anew. It counts an entry more than
  -- it has, so that a reader asks the archive for what was before.
  if redis.call('XLEN', stream) == 1 and redis.call('EXISTS', producers) == 1 then
    redis.call('XSETID', stream, id, 'ENTRIESADDED', 2)
  end
  redis.call('HSET', producers, producer, hash .. last)
  return {1, id}
end

local answers = {}
for i = 1, (#KEYS - 1) / 2 do
  local at = 7 * (i - 1)
  answers[i] = append(KEYS[2 * i], KEYS[2 * i + 1], unpack(ARGV, at + 1, at + 7))
end
return answers
