-- Microseconds since 1970. The zero date has none; it is long ago.
SELECT
    CAST({name} AS CHAR),
    CAST({locked_by} AS CHAR),
    IF({locked_at} IS NULL, NULL, COALESCE(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {locked_at}), 0)),
    IF({lock_until} IS NULL, NULL, COALESCE(TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {lock_until}), 0)),
    TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), {=now}),
    {?token}{fencing_token}{/token}{?no_token}NULL{/no_token},
    'null'
    {?position}, {position}, {position_done}, {position_tries}{/position}
FROM {table}
WHERE {=usable}
    {?one}AND {name} = {:name} AND {=same} LIMIT 1{/one}
    -- A session may have a limit of its own, and a list must not be cut without a word.
    {?all}LIMIT 18446744073709551615{/all}
