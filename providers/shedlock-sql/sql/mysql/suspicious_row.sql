SELECT CAST({name} AS CHAR) FROM {table} WHERE {lock_until} IS NULL OR {locked_at} > {=now} + INTERVAL 10 MINUTE LIMIT 1
