-- ARGV: offset, flow, validity (0 keeps it), ready (0 or 1; once 1 it stays), most
-- places of a flow.
-- Only a flow that holds its slot has it renewed. Answers 1 and its places, or 0.
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or 0)
local expires = math.floor(score)
if expires <= now then return 0 end
local ready = math.max((score - expires) * 2, tonumber(ARGV[4]))
local validity = tonumber(ARGV[3])
if validity > 0 then expires = now + validity end
local till = string.format('%.1f', expires + ready / 2)
redis.call('ZADD', KEYS[1], till, ARGV[2])
local places = 1
while places < tonumber(ARGV[5]) and redis.call('ZSCORE', KEYS[1], ARGV[2] .. '\1' .. places + 1) do
  places = places + 1
  redis.call('ZADD', KEYS[1], till, ARGV[2] .. '\1' .. places)
end
if redis.call('PTTL', KEYS[1]) < expires - now then redis.call('PEXPIRE', KEYS[1], expires - now) end
return {1, places}
