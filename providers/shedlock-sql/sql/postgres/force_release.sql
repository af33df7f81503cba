-- The mark replaces the owner, so nothing that the holder has on its way finds its row. A row without an end is freed too.
-- Cut to milliseconds, because a column of that precision rounds, and the lock would be free later than now.
UPDATE {table}
SET {lock_until} = date_trunc('milliseconds', {=now}), {locked_by} = {:owner}
WHERE {=usable} AND {name} = {:name} AND ({lock_until} > {=now} OR {lock_until} IS NULL)
