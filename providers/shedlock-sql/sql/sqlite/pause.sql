-- Writes nothing if the end has passed by now, or if the column's collation takes the name for that of another lock. The fencing token stays; a new row's is as an acquisition makes it.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
)
SELECT
    {:name}, {=until}, clock.now, {:owner}
    {?token}, clock.now * 1000{/token}
FROM (SELECT {=now} AS now) AS clock
WHERE {=until} > clock.now
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = excluded.{lock_until},
    {locked_at} = excluded.{locked_at},
    {locked_by} = excluded.{locked_by}
WHERE l.{name} COLLATE BINARY = {:name}
