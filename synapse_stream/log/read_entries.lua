-- Read the entries that pointers of one feed point to, in their order, until they hold so many bytes.
-- KEYS: streams of jobs, all with one hash tag.
-- ARGV: most bytes; largest entry, most fields, bytes kept of a word; how far ahead an id may be, in
-- ms; then for each pointer the number of its job's key and its id.
-- Reply: for each pointer read its entry's fields, those of a large one cut; or why it cannot be read;
-- or '' when there is none; or 0 when its id lies too far ahead of the clock.

local most, largest, most_fields, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local latest = tonumber(time[1]) * 1000 + tonumber(ARGV[5])

local function cut(fields, bytes)
  local some = {}
  for i = 1, math.min(#fields, 2 * most_fields - 2) do
    some[i] = string.sub(fields[i], 1, kept)
  end
  some[#some + 1] = 'cut'
  some[#some + 1] = string.format('%d', bytes)
  return some
end

local found, read = {}, 0
for i = 6, #ARGV, 2 do
  local id, answer = ARGV[i + 1], ''
  if tonumber(string.match(id, '^%d+')) > latest then
    answer = 0
  else
    local entries = redis.pcall('XRANGE', KEYS[tonumber(ARGV[i])], id, id)
    if entries.err then
      answer = entries.err
    elseif entries[1] then
      answer = entries[1][2]
      local bytes = 0
      for j = 1, #answer do
        bytes = bytes + #answer[j]
      end
      if bytes > largest or #answer > 2 * most_fields then
        answer = cut(answer, bytes)
      end
      read = read + math.min(bytes, largest)
    end
  end
  found[#found + 1] = answer
  if read >= most then
    break
  end
end
return found
