-- KEYS: flow, its note. Without the latter, which a cluster that moves the slot may
-- not have, there is none. ARGV: offset.
if not known then return {NOT_FOUND} end
local note = f[13] and KEYS[2] and redis.call('GET', KEYS[2]) or nil
if state == 'DONE' then return answer(USED, nil, note) end
if state == 'ERROR' then return answer(STATE, value, note) end
if expired then return answer(EXPIRED) end
return answer(OK, value, note)
