-- KEYS: flow, its value once it is finished. Without the latter, which a cluster
-- that moves the slot may not have, the value is not kept.
-- ARGV: offset, proof, poll (0 or 1), retention, slow-down step, tolerance,
-- longest interval.
if not known then return {NOT_FOUND} end
if proof == '' or proof ~= ARGV[2] then return answer(MISMATCH) end
if expired and state == 'DONE' then return answer(USED) end
if expired then return answer(EXPIRED) end
if state == 'DONE' then return answer(USED, kept()) end
if state == 'READY' then
  redis.call('HDEL', KEYS[1], 'v')
  if KEYS[2] then
    redis.call('SET', KEYS[2], value, 'PX', expires - now)
    redis.call('HSET', KEYS[1], 'k', 1)
  end
  finish('DONE', tonumber(ARGV[4]))
  return answer(OK, value)
end
if ARGV[3] == '0' then return answer(STATE) end
if state == 'ERROR' or interval == 0 then return answer(OK, value) end
-- Only a poll in time starts the interval anew: a client that never waits
-- longer would otherwise never be in time.
if last > 0 and now < last + interval - tonumber(ARGV[6]) then
  interval = math.max(interval, math.min(interval + tonumber(ARGV[5]), tonumber(ARGV[7])))
  slow = 1
  redis.call('HSET', KEYS[1], 'i', interval)
  return answer(OK)
end
redis.call('HSET', KEYS[1], 'l', now)
return answer(OK, value)
