-- Keeps an answer, if it is of today: every generation that it was read under still stands, and its snapshot saw the
-- end of every transaction that has marked one of them.
--   KEYS     records, each "value:horizon", then the answer's key
--   ARGV[1]  xmin of the snapshot: every transaction below had ended
--   ARGV[2]  above every transaction that had begun on the primary after the records were seen; empty where not known
--   ARGV[3]  the answer
--   ARGV[4]  seconds that an answer is kept
--   ARGV[5]  seconds that a record is kept
--   ARGV[6…] the value of each generation as it was seen
-- Answers 1 where it was kept, else 0.
local xmin, next_xid = tonumber(ARGV[1]), tonumber(ARGV[2])
local is_due = true
for index = 1, #KEYS - 1 do
  local seen = ARGV[5 + index]
  local record = redis.call('GET', KEYS[index])
  if not record or string.sub(record, 1, #seen + 1) ~= seen .. ':' then
    return 0
  end
  local horizon = tonumber(string.sub(record, #seen + 2))
  if not horizon and next_xid then
    horizon = next_xid
    redis.call('SET', KEYS[index], seen .. ':' .. string.format('%.0f', horizon), 'EX', ARGV[5])
  end
  is_due = is_due and horizon and xmin >= horizon
end
if not is_due then
  return 0
end
redis.call('SET', KEYS[#KEYS], ARGV[3], 'EX', ARGV[4])
return 1
