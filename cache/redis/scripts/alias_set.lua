-- ARGV: offset, target, validity. Answers 1, or 0 when the alias is taken.
local expires = redis.call('HGET', KEYS[1], 'e')
if expires and now < tonumber(expires) then return 0 end
redis.call('HSET', KEYS[1], 't', ARGV[2], 'e', now + tonumber(ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
