-- One statement: SQLite lets one writer in at a time, and `now` stands still within it.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
)
SELECT
    {:name}, clock.now + ({:lease} + 999) / 1000, clock.now, {:owner}
    {?token}, clock.now * 1000{/token}
FROM (SELECT {=now} AS now) AS clock
-- A refusal ends here, before anything is written.
WHERE NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = {:name} AND h.{lock_until} > clock.now
        {?repeated}AND ({=h.ours}) IS NOT TRUE{/repeated}
)
-- A record that bears our owner is kept as it is, whether its lease lives or has ended: this request came before.
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = CASE WHEN {=l.ours} THEN l.{lock_until} ELSE excluded.{lock_until} END,
    {locked_at} = CASE WHEN {=l.ours} THEN l.{locked_at} ELSE excluded.{locked_at} END,
    {locked_by} = CASE WHEN {=l.ours} THEN l.{locked_by} ELSE excluded.{locked_by} END
    {?token}, {fencing_token} = CASE WHEN {=l.ours} THEN l.{fencing_token} ELSE MAX(COALESCE(l.{fencing_token}, 0) + 1, excluded.{fencing_token}) END{/token}
WHERE (l.{lock_until} <= excluded.{locked_at} OR {=l.ours}) AND l.{name} COLLATE BINARY = {:name}
RETURNING
    {lock_until} > {=now}
    , {?token}{fencing_token}{/token}{?no_token}NULL{/no_token}
