SELECT CAST({name} AS text) FROM {table} WHERE {locked_at} > {now} + INTERVAL '10 minutes' LIMIT 1
