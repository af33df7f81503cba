-- Cut to milliseconds, because a column of that precision rounds, and the lock would be free later than now.
UPDATE {table}
SET {lock_until} = TIMESTAMPADD(MICROSECOND, -(MICROSECOND({=now}) MOD 1000), {=now})
WHERE {=usable} AND {name} = {:name} AND {=same} AND {lock_until} > {=now} AND {=paused}
