-- Gives one row if the lock is ours and none if it is not. To say in the same statement who holds it takes CTEs, which
-- cost a third of the speed; the server also prepares each expression anew each time, so there are few.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    , {fencing_token} -- fencing
)
SELECT
    :name, {now} + :lease, {now}, :owner
    , CAST(date_part('epoch', clock_timestamp()) * 1000000 AS bigint) -- fencing
-- A plain upsert locks the row and writes WAL even when its own condition refuses.
WHERE NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = :name AND h.{lock_until} > {now} AND h.{locked_by} <> :owner
)
-- Fresh times instead of EXCLUDED: the statement may have waited for the row.
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = {now} + :lease,
    {locked_at} = {now},
    {locked_by} = EXCLUDED.{locked_by}
    , {fencing_token} = GREATEST(l.{fencing_token} + 1, EXCLUDED.{fencing_token}) -- fencing
WHERE l.{lock_until} <= {now} OR l.{locked_by} = :owner
RETURNING
    -- A column of type date would cut the lease to nothing.
    {lock_until} > {locked_at}
    , {fencing_token} -- fencing
