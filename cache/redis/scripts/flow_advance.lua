-- KEYS: flow, its note. Without the latter, which a cluster that moves the slot may
-- not have, it gets none.
-- ARGV: offset, from, to, replace value (0 or 1), value, replace proof, proof,
-- validity (0 keeps it), retention, note ('' keeps it), its life.
if not known then return {NOT_FOUND} end
if state == 'DONE' then return answer(USED) end
if state == 'ERROR' then return answer(STATE) end
if expired then return answer(EXPIRED) end
if state ~= ARGV[2] then return answer(STATE) end
local to, validity, retention = ARGV[3], tonumber(ARGV[8]), tonumber(ARGV[9])
if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'p', ARGV[7]) end
if ARGV[4] == '1' then value = ARGV[5] elseif to == 'ERROR' then value = '' end
if to == 'DONE' or (to == 'ERROR' and value == '') then
  redis.call('HDEL', KEYS[1], 'v')
elseif ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], 'v', value)
end
if validity > 0 then
  expires = now + validity
  redis.call('HSET', KEYS[1], 'e', expires, 'g', expires + retention)
  redis.call('PEXPIRE', KEYS[1], validity + retention)
end
if ARGV[10] ~= '' and KEYS[2] then
  redis.call('SET', KEYS[2], ARGV[10], 'PX', ARGV[11])
  redis.call('HSET', KEYS[1], 'm', 1)
end
if to == 'DONE' or to == 'ERROR' then
  finish(to, retention)
elseif to ~= state then
  state = to
  redis.call('HSET', KEYS[1], 's', to)
end
return answer(OK, value)
