UPDATE {table}
SET {lock_until} = {now} + (:lease + 999) / 1000
WHERE {name} = :name AND {locked_by} = :owner AND {lock_until} > {now}
