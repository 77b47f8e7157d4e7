-- A cap is a sorted set of live flows, scored by the end of their validity
-- plus a half once they are READY.
-- ARGV: offset, flow, validity, cap (negative: none), ready (0 or 1), places that the
-- flow takes.
-- Answers 0 when it is full, 1 when the flow was added, 2 when it was there;
-- and then some flows that have expired, which no longer count.
local past = string.format('%.1f', now + 0.5)
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', past, 'LIMIT', 0, 16)
if #expired > 0 then redis.call('ZREM', KEYS[1], unpack(expired)) end
local function answer(code) return {code, unpack(expired)} end
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then return answer(2) end
local validity, cap, places = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
if cap >= 0 and redis.call('ZCOUNT', KEYS[1], '(' .. past, '+inf') + places > cap then return answer(0) end
local till = string.format('%.1f', now + validity + tonumber(ARGV[5]) / 2)
redis.call('ZADD', KEYS[1], till, ARGV[2])
for i = 2, places do redis.call('ZADD', KEYS[1], till, ARGV[2] .. '\1' .. i) end
if redis.call('PTTL', KEYS[1]) < validity then redis.call('PEXPIRE', KEYS[1], validity) end
return answer(1)
