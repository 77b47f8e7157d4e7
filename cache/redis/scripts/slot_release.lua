-- ARGV: offset, flow, only if READY (0 or 1), most places of a flow.
-- Answers 1 and how many places were released, 0 when they are held, 2 when there
-- were none: those of a flow that has expired are of an earlier one with its key.
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or -1)
if score < 0 then return 2 end
local expired = math.floor(score) <= now
if not expired and ARGV[3] == '1' and score == math.floor(score) then return 0 end
local names = {ARGV[2]}
for i = 2, tonumber(ARGV[4]) do names[i] = ARGV[2] .. '\1' .. i end
local released = redis.call('ZREM', KEYS[1], unpack(names))
if expired then return 2 end
return {1, released}
