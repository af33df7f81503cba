-- Gives one row if the lock is ours and none if it is not. To say in the same statement who holds it takes CTEs, which
-- cost a third of the speed.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    , {fencing_token} -- fencing
)
SELECT
    :name, {now} + CAST(:lease AS bigint) * INTERVAL '1 microsecond', {now}, :owner
    , CAST(date_part('epoch', clock_timestamp()) * 1000000 AS bigint) -- fencing
-- A plain upsert locks the row and writes WAL even when its own condition refuses. NULL, which no program writes, is held.
WHERE NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = :name AND (h.{lock_until} <= {now}) IS NOT TRUE AND h.{locked_by} IS DISTINCT FROM :owner
)
-- Fresh times instead of EXCLUDED: the statement may have waited for the row.
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = {now} + CAST(:lease AS bigint) * INTERVAL '1 microsecond',
    {locked_at} = {now},
    {locked_by} = :owner
    , {fencing_token} = GREATEST(l.{fencing_token} + 1, CAST(date_part('epoch', clock_timestamp()) * 1000000 AS bigint)) -- fencing
WHERE l.{lock_until} <= {now} OR l.{locked_by} = :owner
RETURNING
    -- A column of type date would cut the lease to nothing.
    {lock_until} - {locked_at} >= CAST(:lease AS bigint) * INTERVAL '1 microsecond' - INTERVAL '1 second'
    , CAST({fencing_token} AS bigint) -- fencing
    , CAST(NULL AS bigint) -- plain
