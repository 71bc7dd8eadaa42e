-- Gives a record a horizon, where it has none yet and still has the value that was seen.
--   KEYS[1]  the record, "value:horizon"
--   ARGV[1]  the value
--   ARGV[2]  above every transaction that had begun on the primary after the record was seen
--   ARGV[3]  seconds that a record is kept
-- Answers 1 where it was given one, else 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] .. ':' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. ARGV[2], 'EX', ARGV[3])
return 1
