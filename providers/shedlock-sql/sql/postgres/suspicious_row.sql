SELECT CAST({name} AS text) FROM {table} WHERE {lock_until} IS NULL OR {locked_at} > {=now} + INTERVAL '10 minutes' LIMIT 1
