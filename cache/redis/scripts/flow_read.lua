-- ARGV: offset.
if not known then return {NOT_FOUND} end
if state == 'DONE' then return answer(USED) end
if state == 'ERROR' then return answer(STATE, value) end
if expired then return answer(EXPIRED) end
return answer(OK, value)
