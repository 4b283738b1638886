-- A charge in Redis, as smsd does it: once per idempotency key, never below zero, with an entry in the
-- account's history.
-- KEYS: account (its balance, a string) and idempotency key. ARGV: amount, reference.
local answer = redis.call('GET', KEYS[2])
if answer then
    return answer
end
local balance = redis.call('GET', KEYS[1])
if not balance then
    return redis.error_reply('account_not_found')
end
if tonumber(balance) < tonumber(ARGV[1]) then
    return redis.error_reply('insufficient_funds')
end
balance = redis.call('DECRBY', KEYS[1], ARGV[1])
local time = redis.call('TIME')
local entry = ARGV[1] .. ' ' .. balance .. ' ' .. ARGV[2] .. ' ' .. time[1] .. '.' .. time[2]
local number = redis.call('RPUSH', KEYS[1] .. ':entries', entry)
answer = number .. ' ' .. balance
redis.call('SET', KEYS[2], answer, 'EX', 86400)
return answer
