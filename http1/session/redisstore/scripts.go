package redisstore

import "github.com/redis/go-redis/v9"

// Numbers in Lua are float64s: ours are microseconds of Unix time, which it holds exactly
// until the year 2255, and must be printed with '%.0f'.

// applyScript makes changes. KEYS: state, index, feed, the records; ARGV: an id for a store
// that has none, how many changes the feed keeps, what is before a record's key, then six for each
// change.
//
// A number is greater than the last and not less than the time, so that a Redis that has
// forgotten the last never gives one twice.
//
// Over its memory limit Redis refuses a script's first write if that adds something: what
// writes a record must not begin with a removal.
var applyScript = redis.NewScript(`
	local state, index, feed = KEYS[1], KEYS[2], KEYS[3]
	for i = 4, #KEYS do
		local expected = ARGV[(i - 4) * 6 + 5]
		if expected ~= '' and (redis.call('HGET', KEYS[i], 'version') or '0') ~= expected then
			return 0
		end
	end
	local time = redis.call('TIME')
	local number = math.max(tonumber(redis.call('HGET', state, 'number') or '0'), time[1] * 1000000 + time[2])
	for i = 4, #KEYS do
		local a = (i - 4) * 6 + 4
		local key, writes, value, expires, told = ARGV[a], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5]
		number = number + 1
		local version = string.format('%.0f', number)
		if writes == '1' then
			redis.call('HSET', KEYS[i], 'value', value, 'version', version, 'expires', expires)
			redis.call('ZADD', index, 0, key)
			if expires == '' then
				redis.call('PERSIST', KEYS[i])
			else
				redis.call('PEXPIREAT', KEYS[i], expires)
			end
		else
			redis.call('DEL', KEYS[i])
			redis.call('ZREM', index, key)
		end
		if told == '1' then
			redis.call('ZADD', feed, version, version .. ':' .. key)
		end
	end
	redis.call('HSET', state, 'number', string.format('%.0f', number))
	redis.call('HSETNX', state, 'id', ARGV[1])
	redis.call('ZREMRANGEBYRANK', feed, 0, -1 - ARGV[2])
	-- The sweep: the index forgets a few whose records have expired.
	local hand = redis.call('HGET', state, 'hand') or ''
	local some = redis.call('ZRANGEBYLEX', index, '(' .. hand, '+', 'LIMIT', 0, 4)
	for _, key in ipairs(some) do
		if redis.call('EXISTS', ARGV[3] .. key) == 0 then
			redis.call('ZREM', index, key)
		end
	end
	redis.call('HSET', state, 'hand', some[4] or '')
	return 1`)

// listScript reads records in order. KEYS: index; ARGV: what is before a record's key, the
// range, how many, how many keys it looks at. It goes on until there are as many as that, or no
// more, and removes from the index what has expired. The first of its answers is where to go on
// if it has looked at as many as it may, since nobody else is served meanwhile; empty if there
// is no more to come.
var listScript = redis.NewScript(`
	local found, from, missing, looks = {''}, ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
	while missing > 0 do
		local asked = math.min(missing, looks)
		if asked == 0 then
			found[1] = from
			break
		end
		looks = looks - asked
		local some = redis.call('ZRANGEBYLEX', KEYS[1], from, ARGV[3], 'LIMIT', 0, asked)
		for _, key in ipairs(some) do
			local r = redis.call('HMGET', ARGV[1] .. key, 'value', 'version', 'expires')
			if r[2] then
				found[#found + 1], found[#found + 2], found[#found + 3], found[#found + 4] = key, r[1], r[2], r[3]
				missing = missing - 1
			else
				redis.call('ZREM', KEYS[1], key)
			end
			from = '(' .. key
		end
		if #some < asked then break end
	end
	return found`)

// takeScript counts. KEYS: the counter; ARGV: how much, the limit, the window in milliseconds.
var takeScript = redis.NewScript(`
	local used, n, taken = tonumber(redis.call('GET', KEYS[1]) or '0'), tonumber(ARGV[1]), 0
	if n > 0 and n <= ARGV[2] - used then
		redis.call('INCRBY', KEYS[1], ARGV[1])
		if used == 0 then
			redis.call('PEXPIRE', KEYS[1], ARGV[3])
		end
		used, taken = used + n, 1
	end
	if used == 0 then
		return {0, 0, 0}
	end
	return {taken, used, math.max(redis.call('PTTL', KEYS[1]), 1)}`)

// changesScript reads on in the feed. KEYS: state, feed; ARGV: an id for a store that has
// none, how many changes the feed keeps, the cursor's id and number. It answers the store's id,
// where to go on, whether something may be lost, and what came.
//
// The change that the cursor names must still be there: then nothing after it was trimmed, and
// no Redis that came back without its last changes is taken for the one it was.
var changesScript = redis.NewScript(`
	local id = redis.call('HGET', KEYS[1], 'id')
	if not id then
		id = ARGV[1]
		redis.call('HSET', KEYS[1], 'id', id)
	end
	local last = redis.call('ZREVRANGE', KEYS[2], 0, 0)[1]
	last = last and string.match(last, '^%d+') or '0'
	local number, there = ARGV[4], false
	if number == '0' then
		there = redis.call('ZCARD', KEYS[2]) < tonumber(ARGV[2])
	else
		there = redis.call('ZCOUNT', KEYS[2], number, number) == 1
	end
	if id ~= ARGV[3] or not there then
		return {id, last, 'lost'}
	end
	local answer = {id, last, 'all'}
	if last ~= number then
		for i, entry in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. number, '+inf')) do
			answer[3 + i] = entry
		end
	end
	return answer`)
