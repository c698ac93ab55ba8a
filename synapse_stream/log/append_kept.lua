-- Append one batch of what has no numbers of its own, and in the same step keep what is known with it.
-- Runs behind the functions of append.lua, in the place of its end.
-- KEYS: feed, the job's stream, producers hash, book, and the hash of keys; all with one hash tag.
-- ARGV: as append.lua has of a batch; then the new book, for how many ms book and keys are kept, and
-- the keys by which what is appended is known again.
-- Reply: as append.lua has of a batch.

local answer = append(KEYS[2], KEYS[3], unpack(ARGV, 1, 8))
if answer[1] == 1 then
  call('SET', KEYS[4], ARGV[9], 'PX', ARGV[10])
  for i = 12, #ARGV do
    call('HSET', KEYS[5], ARGV[i], 1)
  end
  call('PEXPIRE', KEYS[5], ARGV[11])
end
return answer
