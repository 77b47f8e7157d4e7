-- ARGV: offset, life. Answers 1 for the first caller, 0 for the others.
local ends = redis.call('GET', KEYS[1])
if ends and now < tonumber(ends) then return 0 end
redis.call('SET', KEYS[1], now + tonumber(ARGV[2]), 'PX', ARGV[2])
return 1
