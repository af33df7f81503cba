-- KEYS: the lock, its fence.
-- Answers {value, its time to live in milliseconds, fencing token, what is wrong, seconds and microseconds of the time}.
local time = redis.call('TIME')
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then
  return {'', 0, 0, found.err, time[1], time[2]}
end
if not found then
  return {'', -2, 0, '', time[1], time[2]}
end
local fence = redis.pcall('HMGET', KEYS[2], 'token')
return {found, redis.call('PTTL', KEYS[1]), tonumber(fence[1] or 0) or 0, '', time[1], time[2]}
