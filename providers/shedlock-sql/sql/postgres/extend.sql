UPDATE {table}
SET {lock_until} = {now} + :lease
WHERE {name} = :name AND {locked_by} = :owner AND {lock_until} > {now}
