-- ARGV: offset, flow, end of validity, ready (0 or 1). Gives a flow that is
-- still live the slot that a refused redemption took from it.
local expires = tonumber(ARGV[3])
if expires <= now then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.1f', expires + tonumber(ARGV[4]) / 2), ARGV[2])
if redis.call('PTTL', KEYS[1]) < expires - now then redis.call('PEXPIRE', KEYS[1], expires - now) end
return 1
