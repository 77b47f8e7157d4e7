-- ARGV: offset, window, add (0 or 1). Answers the count and what is left of
-- the window.
local c = redis.call('HMGET', KEYS[1], 'n', 'e')
local count, ends = tonumber(c[1] or 0), tonumber(c[2] or 0)
if now >= ends then
  count, ends = 0, now + tonumber(ARGV[2])
end
if ARGV[3] == '0' then return {count, ends - now} end
count = count + 1
redis.call('HSET', KEYS[1], 'n', count, 'e', ends)
if count == 1 then redis.call('PEXPIRE', KEYS[1], ends - now) end
return {count, ends - now}
