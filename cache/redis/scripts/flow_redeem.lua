-- ARGV: offset, proof, poll (0 or 1), slow-down step, retention.
if not known then return {NOT_FOUND} end
if proof == '' or proof ~= ARGV[2] then return answer(MISMATCH) end
if expired and state == 'DONE' then return answer(USED) end
if expired then return answer(EXPIRED) end
local poll = ARGV[3] == '1'
if poll and state == 'ERROR' then return answer(OK, value) end
if poll and interval > 0 then
  local early = last > 0 and now < last + interval
  if early then
    interval = interval + tonumber(ARGV[4])
    slow = 1
  end
  redis.call('HSET', KEYS[1], 'l', now, 'i', interval)
  if early then return answer(OK) end
end
if state == 'DONE' then return answer(USED) end
if poll and state == 'PENDING' then return answer(OK, value) end
if state ~= 'READY' then return answer(STATE) end
redis.call('HDEL', KEYS[1], 'v')
finish('DONE', tonumber(ARGV[5]))
return answer(OK, value)
