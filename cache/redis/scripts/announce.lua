-- KEYS: recent revocations, number of the last announcement; both in one slot.
-- ARGV: offset, channel, message, how long to keep revocations, sessions…
-- The number lets a subscriber notice what it missed without having been cut
-- off. The sessions are kept before the message goes out, so that whoever
-- missed it finds them.
local keep = tonumber(ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - keep)
for i = 5, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
if #ARGV > 4 then redis.call('PEXPIRE', KEYS[1], keep) end
local number = redis.call('INCR', KEYS[2])
redis.call('PUBLISH', ARGV[2], string.format('%.0f ', number) .. ARGV[3])
return 1
