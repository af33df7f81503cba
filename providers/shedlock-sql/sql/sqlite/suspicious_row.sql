SELECT {name} FROM {table} WHERE {lock_until} IS NULL OR {locked_at} > {=now} + 600000 LIMIT 1
