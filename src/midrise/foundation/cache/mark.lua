-- Makes every answer of these generations old, for a transaction that is about to commit.
--   KEYS     records, each "value:horizon"; the horizon is empty where it is not known
--   ARGV[1]  the transaction's id plus one
--   ARGV[2]  a value that no record ever had
--   ARGV[3]  seconds that a record is kept
-- Answers how many records there are.
local next_xid = tonumber(ARGV[1])
for _, key in ipairs(KEYS) do
  local record = redis.call('GET', key)
  local horizon = record and tonumber(string.match(record, ':(%d+)$') or '')
  -- Who marked before a record was lost is not known any more: then nobody's end is a sufficient sign.
  local raised = horizon and string.format('%.0f', math.max(horizon, next_xid)) or ''
  redis.call('SET', key, ARGV[2] .. ':' .. raised, 'EX', ARGV[3])
end
return #KEYS
