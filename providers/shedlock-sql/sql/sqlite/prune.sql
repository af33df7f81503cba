DELETE FROM {table}
WHERE {name} IN (
    SELECT {name}
    FROM {table}
    WHERE {lock_until} <= {now} - :lease / 1000
    LIMIT {batch}
)
