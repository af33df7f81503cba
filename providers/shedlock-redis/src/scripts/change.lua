-- KEYS: the lock, its fence. ARGV: the owner's first write, this write, the milliseconds for which the lock stays taken, and `extend`,
-- `release` or, for a run that has ended well, `done`, or, for a grant with which no run has begun, `unused`.
-- Answers 1 if the lock is the owner's, and 0 if it is not.
local first, stored = ARGV[1], ARGV[2]
local fence = redis.call('HMGET', KEYS[2], 'last', 'number')
-- This very release was carried out before.
if fence[1] == stored then
  return 1
end
local is_release = ARGV[4] ~= 'extend'
local found = redis.call('GET', KEYS[1])
-- As numbers: the order of texts depends on the server's locale.
local number = tonumber(string.sub(stored, 1 + #first), 16) or 0
-- The lease has ended, and nobody of ours had the lock since: the next holder is not told of a crash. Under the number of a release, which is
-- odd, but one that no release ever has: whoever asks to release once more must not find its own write, as if it had been carried out.
if not found and is_release and fence[1] and string.sub(fence[1], 1, #first) == first then
  redis.pcall('HSET', KEYS[2], 'last', first .. 'ffffffffffff')
end
if not found or string.sub(found, 1, 6) ~= 'ADDED:' or string.sub(found, 32, 31 + #first) ~= first then
  return 0
end
local before = tonumber(string.sub(found, 32 + #first), 16) or 0
if before >= number then
  return before == number and 1 or 0
end
-- A server without memory refuses a script whose first write is SET or HSET, and no other.
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('SET', KEYS[1], string.sub(found, 1, 31) .. stored, 'PX', ARGV[3])
end
-- Without a fence there is no older request to be told from this one.
if is_release and fence[1] then
  redis.call('HSET', KEYS[2], 'last', stored)
end
-- Without a number there is no position, or it was lost with its fence.
if fence[2] then
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[2], 'until', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]))
  if ARGV[4] == 'done' then
    redis.call('HSET', KEYS[2], 'done', '1')
  -- Unless an earlier release of the same grant has taken the try off.
  elseif ARGV[4] == 'unused' and before == 0 then
    redis.call('HINCRBY', KEYS[2], 'tries', -1)
  end
end
return 1
