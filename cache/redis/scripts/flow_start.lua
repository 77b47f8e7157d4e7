-- ARGV: offset, state, value, proof, validity, interval, owner, retention.
-- Answers 1 for a flow that was stored, 0 when the key is taken.
local gone = redis.call('HGET', KEYS[1], 'g')
if gone and now < tonumber(gone) then return 0 end
if gone then redis.call('DEL', KEYS[1]) end
local expires = now + tonumber(ARGV[5])
local gone_at = expires + tonumber(ARGV[8])
redis.call('HSET', KEYS[1], 's', ARGV[2], 'v', ARGV[3], 'p', ARGV[4], 'c', now, 'e', expires,
  'g', gone_at, 'i', ARGV[6], 'o', ARGV[7])
redis.call('PEXPIRE', KEYS[1], gone_at - now)
return 1
