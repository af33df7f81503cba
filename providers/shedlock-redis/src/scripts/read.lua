-- KEYS: the lock, its fence.
-- Answers {value, its time to live in milliseconds, fencing token, what is wrong, seconds and microseconds of the time,
-- the position: none or {number, done, tries}}.
local time = redis.call('TIME')
local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then
  return {'', 0, 0, found.err, time[1], time[2], {}}
end
if not found then
  return {'', -2, 0, '', time[1], time[2], {}}
end
local fence = redis.pcall('HMGET', KEYS[2], 'token', 'number', 'done', 'tries')
local position = {}
if fence[2] then
  position = {tonumber(fence[2]) or 0, tonumber(fence[3]) or 0, tonumber(fence[4]) or 0}
end
return {found, redis.call('PTTL', KEYS[1]), tonumber(fence[1] or 0) or 0, '', time[1], time[2], position}
