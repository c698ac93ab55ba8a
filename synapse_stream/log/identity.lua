-- Say who answers for KEYS[1]: the server's run id and its replication id.

local info = redis.call('INFO', 'server') .. redis.call('INFO', 'replication')
return info:match('run_id:(%x+)') .. ' ' .. info:match('master_replid:(%x+)')
