DELETE FROM {table}
WHERE {lock_until} <= TIMESTAMPADD(MICROSECOND, -:lease, {now})
LIMIT {batch}
