-- ARGV: offset. Answers the target, or nothing.
local a = redis.call('HMGET', KEYS[1], 't', 'e')
if a[1] and now < tonumber(a[2]) then return a[1] end
return ''
