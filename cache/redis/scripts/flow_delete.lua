-- KEYS: flow, its value once it is finished. ARGV: offset. Answers the owner whose slot the flow may hold.
local owner = redis.call('HGET', KEYS[1], 'o')
redis.call('DEL', unpack(KEYS))
return owner or ''
