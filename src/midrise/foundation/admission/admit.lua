-- Everything that is asked of the cache before a request is let in: its rate limit, and what its answer depends on.
--   KEYS[1]  limit and caller
--   KEYS[2…] records of generations
--   ARGV[1]  interval: microseconds that one request costs; 0 where there is no limit
--   ARGV[2]  tolerance: microseconds that a caller may be ahead
--   ARGV[3]  a value that no record ever had, for those that are not there
--   ARGV[4]  seconds that a record is kept
-- Answers {1 or 0: passes or not, microseconds that the caller is now ahead, then what each record holds}.

-- The generic cell rate algorithm (ITU-T I.371, annex A), by the server's own clock. The key holds the theoretical
-- arrival time of the next request at an even pace, in microseconds.
local interval, tolerance = tonumber(ARGV[1]), tonumber(ARGV[2])
local ahead = 0
if interval > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  local arrival = tonumber(redis.call('GET', KEYS[1]) or now) or now
  -- Never before now; never further ahead than it can be, should the server's clock have been set back.
  arrival = math.min(math.max(arrival, now), now + tolerance)
  if arrival + interval - now > tolerance then
    return {0, arrival - now}
  end
  arrival = arrival + interval
  ahead = arrival - now
  redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil(ahead / 1000))
end

local answer = {1, ahead}
for index = 2, #KEYS do
  local held = redis.call('GET', KEYS[index])
  if not held then
    held = ARGV[3] .. ':'
    redis.call('SET', KEYS[index], held, 'EX', ARGV[4])
  end
  answer[index + 1] = held
end
return answer
