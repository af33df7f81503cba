UPDATE {table}
SET {lock_until} = {now} + CAST(:lease AS bigint) * INTERVAL '1 microsecond'
WHERE {name} = :name AND {locked_by} = :owner AND {lock_until} > {now}
