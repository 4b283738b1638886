-- A signal in Redis as it is usually done: a Bloom filter in a string, 12 bits a user; 1 is a first visit. A user
-- whose bits are all set by others is taken for known, once in ten thousand, and nothing is kept but the bits.
-- KEYS: the city's filter. ARGV: how many bits it has, then mobiles.
local bits = tonumber(ARGV[1])
local first_visits = 0
for i = 2, #ARGV do
    local hash = redis.sha1hex(ARGV[i])
    local at, step = tonumber(string.sub(hash, 1, 13), 16), tonumber(string.sub(hash, 14, 24), 16)
    local is_known = true
    for place = 1, 12 do
        at = (at + step) % bits
        if is_known and redis.call('GETBIT', KEYS[1], at) == 0 then
            is_known = false
        end
        if not is_known then
            redis.call('SETBIT', KEYS[1], at, 1)
        end
    end
    if not is_known then
        first_visits = first_visits + 1
    end
end
return first_visits
