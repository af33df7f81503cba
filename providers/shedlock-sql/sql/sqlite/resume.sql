UPDATE {table}
SET {lock_until} = {=now}
WHERE {name} = {:name} AND {name} COLLATE BINARY = {:name} AND {lock_until} > {=now} AND {=paused}
