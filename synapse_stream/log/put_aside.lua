-- Put a feed that is no stream aside, where nobody reads it. KEYS: feed, the other name.

local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'stream' and kind ~= 'none' then
  redis.call('RENAME', KEYS[1], KEYS[2])
end
