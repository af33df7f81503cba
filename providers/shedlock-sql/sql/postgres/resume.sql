-- Cut to milliseconds, because a column of that precision rounds, and the lock would be free later than now.
UPDATE {table}
SET {lock_until} = date_trunc('milliseconds', {=now})
WHERE {=usable} AND {name} = {:name} AND {lock_until} > {=now} AND {=paused}
