-- ARGV: offset. Forgets the value of a flow that has expired unfinished; its
-- tombstone stays.
if expired and (state == 'PENDING' or state == 'READY') then redis.call('HDEL', KEYS[1], 'v') end
return 1
