-- ARGV: offset. Answers the owner whose slot the flow may hold.
local owner = redis.call('HGET', KEYS[1], 'o')
redis.call('DEL', KEYS[1])
return owner or ''
