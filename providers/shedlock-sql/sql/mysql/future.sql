SELECT CAST({name} AS CHAR) FROM {table} WHERE {locked_at} > {now} + INTERVAL 10 MINUTE LIMIT 1
