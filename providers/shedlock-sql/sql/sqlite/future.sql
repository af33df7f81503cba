SELECT {name} FROM {table} WHERE {locked_at} > {now} + 600000 LIMIT 1
