-- Microseconds since 1970. The zero date has none; it is long ago.
SELECT
    CAST({name} AS CHAR),
    CAST({locked_by} AS CHAR),
    IF({locked_at} IS NULL, NULL, COALESCE(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {locked_at}), 0)),
    IF({lock_until} IS NULL, NULL, COALESCE(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {lock_until}), 0)),
    TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {now}),
    {fencing_token}, -- fencing
    NULL, -- plain
    'null'
FROM {table}
WHERE {alone}
