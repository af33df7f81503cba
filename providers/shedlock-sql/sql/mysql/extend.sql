UPDATE {table}
SET {lock_until} = TIMESTAMPADD(MICROSECOND, :lease, {now})
WHERE {name} = :name AND {locked_by} = :owner AND {lock_until} > {now}
