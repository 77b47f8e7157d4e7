-- Every script starts with this: the server's clock in milliseconds, moved on
-- by an offset that only tests set.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + tonumber(ARGV[1])
