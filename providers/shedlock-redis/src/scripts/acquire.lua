-- KEYS: the lock, its fence. ARGV: the value to store, the lease, how long the fence outlives it; both in milliseconds.
-- Answers {state, value found, its time to live, fencing token}; the states are 0 "found", 1 "granted" and 2 "too late".
local found = redis.call('GET', KEYS[1])
local fence = redis.call('HMGET', KEYS[2], 'token', 'last')
local last_token = tonumber(fence[1] or 0) or 0
if found then
  return {0, found, redis.call('PTTL', KEYS[1]), last_token}
end
-- Behind `ADDED:`, 24 characters of time and `@`.
local owner = string.sub(ARGV[1], 32)
if fence[2] and string.sub(fence[2], 1, #owner) == owner then
  return {2, '', 0, 0}
end
-- The time makes tokens grow where the fence was lost: evicted, flushed, or unknown to the replica that took over.
local time = redis.call('TIME')
local token = math.max(last_token + 1, time[1] * 1000000 + time[2])
-- A command that is refused, for want of memory or a right, ends the script here and now. So what does no harm comes first.
redis.call('HSET', KEYS[2], 'token', string.format('%.0f', token))
redis.call('PEXPIRE', KEYS[2], string.format('%.0f', ARGV[2] + ARGV[3]))
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'last', owner)
return {1, '', 0, token}
