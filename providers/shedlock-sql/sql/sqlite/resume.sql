UPDATE {table}
SET {lock_until} = {=now}
WHERE {name} = {:name} AND {lock_until} > {=now} AND {=paused}
