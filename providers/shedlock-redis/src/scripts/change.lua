-- KEYS: the lock, its fence. ARGV: the owner's first write, this write, the milliseconds for which the lock stays taken.
-- Answers 1 if the lock is the owner's, and 0 if it is not.
local first, stored = ARGV[1], ARGV[2]
-- This very release was carried out before.
local last = redis.call('HGET', KEYS[2], 'last')
if last == stored then
  return 1
end
local found = redis.call('GET', KEYS[1])
if not found or string.sub(found, 1, 6) ~= 'ADDED:' or string.sub(found, 32, 31 + #first) ~= first then
  return 0
end
-- As numbers: the order of texts depends on the server's locale.
local before = tonumber(string.sub(found, 32 + #first), 16) or 0
local number = tonumber(string.sub(stored, 1 + #first), 16) or 0
if before >= number then
  return before == number and 1 or 0
end
if ARGV[3] == '0' then
  redis.call('DEL', KEYS[1])
  -- Without a fence there is no older request to be told from this one.
  if last then
    redis.call('HSET', KEYS[2], 'last', stored)
  end
  return 1
end
-- A server without memory refuses a script whose first write is SET, and no other.
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('SET', KEYS[1], string.sub(found, 1, 31) .. stored, 'PX', ARGV[3])
return 1
