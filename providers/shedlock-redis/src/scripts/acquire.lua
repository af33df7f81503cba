-- KEYS: the lock, its fence. ARGV: the value to store, the lease, how long the fence outlives it; both in milliseconds.
-- If a position is asked for, also: `slot`, `instant` or `step`; the slot's length in milliseconds or the number; the most tries,
-- 0 for no limit.
-- Answers {state, value found or the last holder's last write, time to live, fencing token, {last number, done, tries}, the position
-- that was begun}. The states are
-- 0 "found", 1 "granted", 2 "too late", 3 "already ran", 4 "gap" and 5 "exhausted".
local found = redis.call('GET', KEYS[1])
local fence = redis.call('HMGET', KEYS[2], 'token', 'last', 'number', 'done', 'tries')
local last_token = tonumber(fence[1] or 0) or 0
if found then
  return {0, found, redis.call('PTTL', KEYS[1]), last_token, {}, {}}
end
-- Behind `ADDED:`, 24 characters of time and `@`.
local owner = string.sub(ARGV[1], 32)
if fence[2] and string.sub(fence[2], 1, #owner) == owner then
  return {2, '', 0, 0, {}, {}}
end
local time = redis.call('TIME')
local last_position = {}
if fence[3] then
  last_position = {tonumber(fence[3]) or 0, tonumber(fence[4]) or 0, tonumber(fence[5]) or 0}
end
-- A fence without a position counts as number 0, done.
local kind, number, tries = ARGV[4], tonumber(ARGV[5]), 1
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stays = ARGV[2] + ARGV[3]
if kind then
  local most, last_number, is_done = tonumber(ARGV[6]), tonumber(fence[3] or 0) or 0, fence[4] ~= '0'
  if kind == 'slot' then
    local middle = now + math.floor(number / 2)
    number = middle - middle % number
  end
  stays = stays + math.max(number - now, 0)
  local is_again = number == last_number and not is_done
  local refused
  local tried = tonumber(fence[5] or 0) or 0
  if number < last_number or number == last_number and is_done or is_again and tried > 0 and most == 0 and kind ~= 'step' then
    refused = 3
  elseif is_again then
    if most > 0 and tried >= most then
      refused = 5
    end
    tries = tried + 1
  elseif kind == 'step' and not (is_done and number == last_number + 1) then
    refused = 4
  end
  if refused then
    return {refused, fence[2] or '', 0, 0, last_position, {}}
  end
end
-- The time makes tokens grow where the fence was lost: evicted, flushed, or unknown to the replica that took over.
local token = math.max(last_token + 1, time[1] * 1000000 + time[2])
-- A command that is refused, for want of memory or a right, ends the script here and now. So what does no harm comes first.
local life = redis.call('PTTL', KEYS[2])
redis.call('HSET', KEYS[2], 'token', string.format('%.0f', token))
-- Only a chain's fence has a position and no end.
if kind == 'step' then
  if life >= 0 then
    redis.call('PERSIST', KEYS[2])
  end
elseif life ~= -1 or not fence[3] then
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', math.max(life, stays)))
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('HSET', KEYS[2], 'last', owner)
if kind then
  redis.call('HSET', KEYS[2], 'number', string.format('%.0f', number), 'done', '0', 'tries', string.format('%.0f', tries))
end
if kind or fence[3] then
  redis.call('HSET', KEYS[2], 'until', string.format('%.0f', now + ARGV[2]))
end
local begun = {}
if kind then
  begun = {number, 0, tries}
end
return {1, fence[2] or '', 0, token, last_position, begun}
