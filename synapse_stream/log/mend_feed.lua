-- Bring a feed back into order whose ids lie too far ahead of the clock: all that comes later would
-- bear such ids. No id of a stream can be taken back, so copies take the place of the streams, which
-- have what is below the limit. What was above it is added again with ids of now; pointers without an
-- entry go.
-- KEYS: feed, its copy; then streams of jobs that have ids above the limit, each with its copy.
-- ARGV: the limit; id of the newest pointer above it, '' for none; the ids of those jobs.
-- Reply: the ids of pointers that went; nothing is done, and the reply is 0, if a copy lacks something.

local limit, until_id = ARGV[1], ARGV[2]

local function last_below(key)
  local last = redis.call('XREVRANGE', key, '(' .. limit, '-', 'COUNT', 1)[1]
  return last and last[1] or ''
end

for i = 1, #KEYS, 2 do
  if last_below(KEYS[i]) ~= last_below(KEYS[i + 1]) then
    return 0
  end
end
-- When another has mended it meanwhile, what came since has sane ids, and must keep them.
local newest = redis.call('XREVRANGE', KEYS[1], '+', limit, 'COUNT', 1)[1]
if (newest and newest[1] or '') ~= until_id then
  return 0
end

local function put_copy(key, copy)
  local added
  local info = redis.call('XINFO', 'STREAM', key)
  for i = 1, #info, 2 do
    if info[i] == 'entries-added' then
      added = info[i + 1]
    end
  end
  local last = last_below(copy)
  if last == '' then
    redis.call('UNLINK', key)
  else
    redis.call('RENAME', copy, key)
    redis.call('XSETID', key, last, 'ENTRIESADDED', string.format('%.0f', added), 'MAXDELETEDID', '0-0')
  end
end

local keys, moved, again, gone = {}, {}, {}, {}
for i = 3, #KEYS, 2 do
  local job = ARGV[2 + (i - 1) / 2]
  keys[job] = KEYS[i]
  for _, entry in ipairs(redis.call('XRANGE', KEYS[i], limit, '+')) do
    again[#again + 1] = {job, entry[2]}
    moved[entry[1] .. job] = true
  end
  put_copy(KEYS[i], KEYS[i + 1])
end
for _, pointer in ipairs(redis.call('XRANGE', KEYS[1], limit, '+')) do
  local job = ''
  for i = 1, #pointer[2], 2 do
    job = pointer[2][i] == 'j' and pointer[2][i + 1] or job
  end
  if not moved[pointer[1] .. job] then
    gone[#gone + 1] = pointer[1]
  end
end
put_copy(KEYS[1], KEYS[2])

for _, entry in ipairs(again) do
  local job, fields = entry[1], entry[2]
  local numbers = {}
  for i = 1, #fields, 2 do
    numbers[fields[i]] = tonumber(fields[i + 1])
  end
  local count = (numbers['m'] or 0) - (numbers['n'] or 0) + 1
  if not (count >= 1 and count < 1e9) then
    count = 1
  end
  local id = redis.call('XADD', KEYS[1], '*', 'j', job, 'n', string.format('%d', count))
  redis.call('XADD', keys[job], id, unpack(fields, 1, math.min(#fields, 4000)))
end
return gone
