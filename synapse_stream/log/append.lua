-- Append batches of one partition, each exactly once, or say what the server has of its producer.
-- KEYS: feed, then of each batch its job's stream and producers hash; all with one hash tag.
-- ARGV: of each batch job id, producer, first, last, chain hash, salts, 'd' or 'z', data.
-- Reply: of each batch {1, entry id} appended, {0, state} known already, {2, state} a gap before it,
-- or the error of its own keys, which costs the others nothing;
-- state is the chain hash (32 bytes) and the last number in decimal, or '' if there is none.

local feed = KEYS[1]
local call, pcall = redis.call, redis.pcall

-- The feed goes first and gives the id: an entry and its pointer bear the same one.
-- Returns the id and what the stream said: the id, false if there is none yet, or an error.
local function add(make, stream, job, count, producer, first, last, hash, salts, kind, data)
  local id = call('XADD', feed, '*', 'j', job, 'n', count)
  local added
  if make then
    added = pcall('XADD', stream, id,
      'p', producer, 'n', first, 'm', last, 'h', hash, 's', salts, kind, data)
  else
    added = pcall('XADD', stream, 'NOMKSTREAM', id,
      'p', producer, 'n', first, 'm', last, 'h', hash, 's', salts, kind, data)
  end
  if type(added) ~= 'string' then
    call('XDEL', feed, id)
  end
  return id, added
end

local function append(stream, producers, job, producer, first, last, hash, salts, kind, data)
  local state = pcall('HGET', producers, producer)
  if type(state) == 'table' then
    return state
  end
  local newest = state and tonumber(string.sub(state, 33)) or -1
  local number, final = tonumber(first), tonumber(last)
  if final < number then
    return redis.error_reply('ERR a batch without events')
  end
  if number ~= newest + 1 then
    return {number > newest and 2 or 0, state or ''}
  end

  local count = final - newest
  local id, added = add(false, stream, job, count, producer, first, last, hash, salts, kind, data)
  local is_new = added == false
  if is_new then
    id, added = add(true, stream, job, count, producer, first, last, hash, salts, kind, data)
  elseif type(added) == 'table' and string.find(added.err, 'equal or smaller', 1, true) then
    -- A feed's top is above that of its jobs, unless somebody deleted the feed: then it is lifted
    -- to this job's top.
    local info = call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then
        call('XSETID', feed, info[i + 1])
      end
    end
    id, added = add(false, stream, job, count, producer, first, last, hash, salts, kind, data)
  end
  if type(added) == 'table' then
    return added
  end
  -- A stream that was dropped when nothing was left of it begins anew. It counts an entry more than
  -- it has, so that a reader asks the archive for what was before.
  if is_new and call('EXISTS', producers) == 1 then
    call('XSETID', stream, id, 'ENTRIESADDED', 2)
  end
  call('HSET', producers, producer, hash .. last)
  return {1, id}
end

-- What follows is left out where append_kept.lua stands in its place.
local answers = {}
for i = 1, (#KEYS - 1) / 2 do
  local at = 8 * (i - 1)
  answers[i] = append(KEYS[2 * i], KEYS[2 * i + 1], unpack(ARGV, at + 1, at + 8))
end
return answers
