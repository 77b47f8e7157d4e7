-- ARGV: offset, flow, end of validity, ready (0 or 1), places. Gives a flow that is
-- still live the places that a refused redemption took from it.
local expires = tonumber(ARGV[3])
if expires <= now then return 0 end
local till = string.format('%.1f', expires + tonumber(ARGV[4]) / 2)
redis.call('ZADD', KEYS[1], till, ARGV[2])
for i = 2, tonumber(ARGV[5]) do redis.call('ZADD', KEYS[1], till, ARGV[2] .. '\1' .. i) end
if redis.call('PTTL', KEYS[1]) < expires - now then redis.call('PEXPIRE', KEYS[1], expires - now) end
return 1
