-- KEYS: flow, its value once it is finished.
-- ARGV: offset, mark, most bytes of marks, retention.
if not known then return {NOT_FOUND} end
if state == 'PENDING' or state == 'ERROR' then return answer(STATE) end
if expired then return answer(EXPIRED) end
if state == 'DONE' then
  local value = kept()
  if not value then return answer(USED) end
  state = 'READY'
  redis.call('HSET', KEYS[1], 's', state, 'v', value, 'r', 1, 'g', expires + tonumber(ARGV[4]))
  redis.call('PEXPIRE', KEYS[1], expires + tonumber(ARGV[4]) - now)
  redis.call('DEL', KEYS[2])
end
if #marks + #ARGV[2] <= tonumber(ARGV[3]) then
  marks = marks .. ARGV[2]
  redis.call('HSET', KEYS[1], 'x', marks)
end
return answer(OK)
