-- One statement: SQLite lets one writer in at a time, and `now` stands still within it.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    , {fencing_token} -- fencing
)
SELECT
    :name, clock.now + (:lease + 999) / 1000, clock.now, :owner
    , clock.now * 1000 -- fencing
FROM (SELECT {now} AS now) AS clock
-- A refusal ends here, before anything is written.
WHERE NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = :name AND h.{lock_until} > clock.now AND h.{locked_by} IS NOT :owner
)
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = excluded.{lock_until},
    {locked_at} = excluded.{locked_at},
    {locked_by} = excluded.{locked_by}
    , {fencing_token} = MAX(COALESCE(l.{fencing_token}, 0) + 1, excluded.{fencing_token}) -- fencing
WHERE l.{lock_until} <= excluded.{locked_at} OR l.{locked_by} = :owner
RETURNING
    {fencing_token} -- fencing
    NULL -- plain
