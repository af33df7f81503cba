-- A row that somebody has locked is in use. The array is made once, and the rows in it can change no more.
DELETE FROM {table}
WHERE {name} = ANY(ARRAY(
    SELECT {name}
    FROM {table}
    WHERE {lock_until} <= {now} - :lease
    LIMIT {batch}
    FOR UPDATE SKIP LOCKED
))
AND {lock_until} <= {now} - :lease
