-- Prefixes are compared byte by byte, whatever the column's collation.
DELETE FROM {table}
WHERE {name} IN (
    SELECT {name}
    FROM {table}
    WHERE {lock_until} <= {=now} - {:lease} / 1000 AND instr(CAST({name} AS TEXT), {:prefix}) = 1
    LIMIT {=batch}
)
