-- KEYS: the lock, its fence. ARGV: the milliseconds for which the lock must have been free.
-- Deletes the fence of a chain, which has no end. Answers 1 if there was one to delete, and 0 otherwise.
if redis.call('PTTL', KEYS[2]) ~= -1 or redis.call('PTTL', KEYS[1]) ~= -2 then
  return 0
end
local free_since = tonumber(redis.pcall('HMGET', KEYS[2], 'until')[1] or '')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if not free_since or now - free_since < tonumber(ARGV[1]) then
  return 0
end
return redis.call('DEL', KEYS[2])
