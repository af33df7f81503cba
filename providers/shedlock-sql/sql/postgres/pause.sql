-- Writes nothing if the end has passed by now. The fencing token stays; a new row's is as an acquisition makes it.
INSERT INTO {table} (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
)
SELECT
    {:name}, {=until}, {=now}, {:owner}
    {?token}, CAST(date_part('epoch', clock_timestamp()) * 1000000 AS bigint){/token}
WHERE {=usable} AND {=until} > {=now}
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = EXCLUDED.{lock_until},
    {locked_at} = EXCLUDED.{locked_at},
    {locked_by} = EXCLUDED.{locked_by}
