-- Scripts that judge a flow go on with this. The hash holds: s state, v value,
-- p proof, c created, e end of validity, g when the tombstone is gone,
-- i interval, l last poll, o owner, x marks of abandoned redemptions, r whether it was
-- reopened and holds no slot, k whether its value was kept when it was redeemed,
-- m whether it was given a note;
-- times in milliseconds.
local OK, NOT_FOUND, EXPIRED, USED, STATE, MISMATCH = 0, 1, 2, 3, 4, 5
local f = redis.call('HMGET', KEYS[1], 's', 'v', 'p', 'c', 'e', 'g', 'i', 'l', 'o', 'x', 'r', 'k', 'm')
local state, value, proof = f[1], f[2] or '', f[3] or ''
local created, expires, gone = tonumber(f[4]), tonumber(f[5]), tonumber(f[6])
local interval, last, owner = tonumber(f[7] or 0), tonumber(f[8] or 0), f[9] or ''
local marks = f[10] or ''
local known = state and now < gone
local expired = known and now >= expires
local slow = 0

-- The value goes out only where the caller may have it. Owner, state and end
-- always do: the client settles the caps by them.
local function answer(code, v, note)
  return {code, state, v or '', created, expires, now, interval, slow, owner, marks, f[11] and 1 or 0, note or ''}
end

-- The key of the value may be left from an earlier flow with the same key, whose
-- tombstone is gone before the end of its validity.
local function kept()
  return f[12] and KEYS[2] and redis.call('GET', KEYS[2]) or nil
end

local function finish(to, retention)
  state = to
  redis.call('HSET', KEYS[1], 's', to, 'g', now + retention)
  redis.call('PEXPIRE', KEYS[1], retention)
end
