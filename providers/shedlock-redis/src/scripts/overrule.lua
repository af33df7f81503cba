-- KEYS: the lock, its fence. ARGV: `release`, `pause` or `resume`; the value of a pause or release; a pause's end in milliseconds since
-- 1970; what the value of the hold that is to end begins with.
-- Answers {state, milliseconds since 1970}; the states are 0 "not so", 1 "done", 2 "that time has passed" and
-- 3 "not a lock's value".
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local found = redis.call('GET', KEYS[1])
if found and (string.sub(found, 1, 6) ~= 'ADDED:' or string.sub(found, 31, 31) ~= '@') then
  return {3, now}
end
-- The mark takes the holder's place, also in the fence: the next holder is not told of a crash.
local function mark()
  if redis.pcall('HMGET', KEYS[2], 'last')[1] then
    redis.call('HSET', KEYS[2], 'last', string.sub(ARGV[2], 32))
  end
end
-- A lock with a position counts as free since the pause or the holder was ended, not since its last run: a chain that was paused for long
-- must not be forgotten when the pause ends.
local function taken_until(millis)
  if redis.pcall('HMGET', KEYS[2], 'number')[1] then
    redis.call('HSET', KEYS[2], 'until', millis)
  end
end
if ARGV[1] == 'pause' then
  local left = ARGV[3] - now
  if left <= 0 then
    return {2, now}
  end
  redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%.0f', left))
  mark()
  taken_until(ARGV[3])
  return {1, now}
end
-- That hold has ended: this very script was run before, and its answer was lost, or the holder was faster. The next hold stays.
if not found or string.sub(found, 1, #ARGV[4]) ~= ARGV[4] then
  return {1, now}
end
if ARGV[1] == 'resume' and string.sub(found, 32, 39) ~= 'paused: ' then
  return {0, now}
end
redis.call('DEL', KEYS[1])
if ARGV[1] == 'release' then
  mark()
end
taken_until(now)
return {1, now}
