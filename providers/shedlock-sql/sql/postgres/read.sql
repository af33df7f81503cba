-- Microseconds since 1970, with infinity as far out as they go. The cast undoes what the session's zone did to a column
-- with one.
SELECT
    CAST({name} AS text),
    CAST({locked_by} AS text),
    CASE WHEN {locked_at} IS NOT NULL THEN CAST(LEAST(GREATEST(EXTRACT(EPOCH FROM CAST({locked_at} AS timestamp)) * 1000000, -9e18), 9e18) AS bigint) END,
    CASE WHEN {lock_until} IS NOT NULL THEN CAST(LEAST(GREATEST(EXTRACT(EPOCH FROM CAST({lock_until} AS timestamp)) * 1000000, -9e18), 9e18) AS bigint) END,
    CAST(EXTRACT(EPOCH FROM {=now}) * 1000000 AS bigint),
    {?token}{fencing_token}{/token}{?no_token}NULL{/no_token},
    'null'
    {?position}, CAST({position} AS bigint), {position_done}, CAST({position_tries} AS bigint){/position}
FROM {table}
WHERE {=usable}
    {?one}AND {name} = {:name}{/one}
