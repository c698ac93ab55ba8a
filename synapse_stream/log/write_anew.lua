-- Write a job's stream anew, some entries a call: what was trimmed stays in the server's memory and
-- files as long as an entry of the same node does. Entries, ids and counts stay as they are.
-- KEYS: job stream, what takes its place. ARGV: most entries to copy.
-- Reply: 1 while more are to be copied; 0 when the copy has taken the place of the stream.

local stream, copy, most = KEYS[1], KEYS[2], tonumber(ARGV[1])

local function newest_of_copy(first)
  local begun = redis.call('XRANGE', copy, '-', '+', 'COUNT', 1)[1]
  if not begun then
    return nil
  end
  local newest = redis.call('XREVRANGE', copy, '+', '-', 'COUNT', 1)[1][1]
  if begun[1] == first and #redis.call('XRANGE', stream, newest, newest) == 1 then
    return newest
  end
  redis.call('UNLINK', copy) -- the stream was trimmed, or is another one, since that was begun
  return nil
end

local first = redis.call('TYPE', stream).ok == 'stream'
  and redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if not first then
  redis.call('UNLINK', copy)
  return 0
end
local newest = newest_of_copy(first[1])
local entries = redis.call('XRANGE', stream, newest and '(' .. newest or '-', '+', 'COUNT', most)
for _, entry in ipairs(entries) do
  redis.call('XADD', copy, entry[1], unpack(entry[2], 1, math.min(#entry[2], 4000)))
end
if #entries == most then
  return 1
end
local info, said = redis.call('XINFO', 'STREAM', stream), {}
for i = 1, #info, 2 do
  said[info[i]] = info[i + 1]
end
-- The renaming goes first: a server that is out of memory lets it through, and then the rest, too.
redis.call('RENAME', copy, stream)
redis.call('XSETID', stream, said['last-generated-id'],
  'ENTRIESADDED', string.format('%.0f', said['entries-added']),
  'MAXDELETEDID', said['max-deleted-entry-id'])
return 0
