-- One statement for three answers: taken, held by whom and for how long, or (no row) taken by somebody else just now.
WITH held AS (
    SELECT
        CAST(h.{locked_by} AS text) AS owner,
        CAST(EXTRACT(EPOCH FROM h.{lock_until}) - EXTRACT(EPOCH FROM {now}) AS double precision) AS remaining
    FROM {table} AS h
    -- NULL, which no program writes, is not free.
    WHERE h.{name} = :name AND (h.{lock_until} <= {now}) IS NOT TRUE AND h.{locked_by} IS DISTINCT FROM :owner
), taken AS (
    INSERT INTO {table} AS l (
        {name}, {lock_until}, {locked_at}, {locked_by}
        , {fencing_token} -- fencing
    )
    SELECT
        :name, {now} + CAST(:lease AS bigint) * INTERVAL '1 microsecond', {now}, :owner
        , CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint) -- fencing
    -- A plain upsert locks the row and writes WAL even when its own condition refuses.
    WHERE NOT EXISTS (SELECT 1 FROM held)
    -- Fresh times instead of EXCLUDED: the statement may have waited for the row.
    ON CONFLICT ({name}) DO UPDATE SET
        {lock_until} = {now} + CAST(:lease AS bigint) * INTERVAL '1 microsecond',
        {locked_at} = {now},
        {locked_by} = :owner
        , {fencing_token} = GREATEST(l.{fencing_token} + 1, CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS bigint)) -- fencing
    WHERE l.{lock_until} <= {now} OR l.{locked_by} = :owner
    RETURNING
        CAST({fencing_token} AS bigint) AS token, -- fencing
        CAST(NULL AS bigint) AS token, -- plain
        -- A column of type date would cut the lease to nothing.
        {lock_until} - {locked_at} >= CAST(:lease AS bigint) * INTERVAL '1 microsecond' - INTERVAL '1 second' AS kept
)
SELECT taken.kept, taken.token, NULL AS owner, NULL AS remaining FROM taken
UNION ALL
SELECT NULL, NULL, held.owner, held.remaining FROM held
