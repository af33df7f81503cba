-- A row that somebody has locked is in use. The array is made once, and the rows in it can change no more.
-- Prefixes are compared byte by byte, whatever the column's type and collation.
DELETE FROM {table}
WHERE {=usable} AND {name} = ANY(ARRAY(
    SELECT {name}
    FROM {table}
    WHERE {lock_until} <= {=now} - {:lease} AND starts_with(CAST({name} AS text) COLLATE "C", {:prefix})
    LIMIT {=batch}
    FOR UPDATE SKIP LOCKED
))
AND {lock_until} <= {=now} - {:lease}
