-- The generic cell rate algorithm (ITU-T I.371, annex A), by the server's own clock.
-- A key holds the theoretical arrival time (TAT) of the next request at an even pace, in microseconds.
--   KEYS[1]  limit and caller
--   ARGV[1]  interval: microseconds that one request costs
--   ARGV[2]  tolerance: microseconds that a caller may be ahead
-- Answers {1 or 0: passes or not, microseconds that the caller is now ahead}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])

local arrival = tonumber(redis.call('GET', KEYS[1]) or now) or now
-- Never before now; never further ahead than it can be, should the server's clock have been set back.
arrival = math.min(math.max(arrival, now), now + tolerance)

if arrival + interval - now > tolerance then
  return {0, arrival - now}
end
arrival = arrival + interval
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
return {1, arrival - now}
