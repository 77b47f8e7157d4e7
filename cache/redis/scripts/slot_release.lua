-- ARGV: offset, flow, only if READY (0 or 1).
-- Answers 1 when the slot was released, 0 when it is held, 2 when there was none.
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[2]) or -1)
if score < 0 then return 2 end
if ARGV[3] == '1' and score == math.floor(score) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[2])
return 1
