-- A grab in Redis, as smsd does it: the next share of the packet's list, one for each user, credited to the
-- user's balance, with an entry in the user's history.
-- KEYS: packet (its shares, a list), who has one of it (a hash), user (the balance, a string). ARGV: user.
local share = redis.call('HGET', KEYS[2], ARGV[1])
if share then
    return 'already_grabbed ' .. share
end
share = redis.call('LPOP', KEYS[1])
if not share then
    return redis.error_reply('packet_empty')
end
redis.call('HSET', KEYS[2], ARGV[1], share)
local balance = redis.call('INCRBY', KEYS[3], share)
local time = redis.call('TIME')
local entry = share .. ' ' .. balance .. ' ' .. KEYS[1] .. ' ' .. time[1] .. '.' .. time[2]
redis.call('RPUSH', KEYS[3] .. ':entries', entry)
return 'grabbed ' .. share .. ' ' .. balance
