-- One statement: SQLite lets one writer in at a time, and `now` stands still within it.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
    {?position}, {position}, {position_done}, {position_tries}{/position}
)
SELECT
    {:name}, clock.now + ({:lease} + 999) / 1000, clock.now, {:owner}
    {?token}, clock.now * 1000{/token}
    {?position}, {=number}, FALSE, 1{/position}
FROM (SELECT {=now} AS now) AS clock
-- A refusal ends here, before anything is written.
WHERE NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = {:name} AND (
        h.{lock_until} > clock.now
        {?repeated}AND ({=h.ours}) IS NOT TRUE{/repeated}
        {?careful}OR h.{lock_until} <= clock.now AND ({=h.ours}) IS NOT TRUE AND {=h.unreleased}{/careful}
        {?position}OR h.{lock_until} <= clock.now AND ({=h.ours}) IS NOT TRUE AND NOT ({=h.begins}){/position}
    )
)
{?step}AND ({=bound_number} = 1 OR EXISTS (SELECT 1 FROM {table} AS h WHERE h.{name} = {:name})){/step}
-- A record that bears our owner is kept as it is, whether its lease lives or has ended: this request came before.
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = CASE WHEN {=l.ours} THEN l.{lock_until} ELSE excluded.{lock_until} END,
    {locked_at} = CASE WHEN {=l.ours} THEN l.{locked_at} ELSE excluded.{locked_at} END,
    {locked_by} = CASE WHEN {=l.ours} THEN l.{locked_by} ELSE excluded.{locked_by} END
    {?token}, {fencing_token} = CASE WHEN {=l.ours} THEN l.{fencing_token} ELSE MAX(COALESCE(l.{fencing_token}, 0) + 1, excluded.{fencing_token}) END{/token}
    {?position}
    , {position_tries} = CASE WHEN {=l.ours} THEN l.{position_tries} WHEN l.{position} = excluded.{position} THEN l.{position_tries} + 1 ELSE 1 END
    , {position_done} = CASE WHEN {=l.ours} THEN l.{position_done} ELSE FALSE END
    , {position} = CASE WHEN {=l.ours} THEN l.{position} ELSE excluded.{position} END
    {/position}
WHERE (l.{lock_until} <= excluded.{locked_at}{?position} AND ({=l.begins}){/position} OR {=l.ours}) AND l.{name} COLLATE BINARY = {:name}
RETURNING
    {lock_until} > {=now}
    , {?token}{fencing_token}{/token}{?no_token}NULL{/no_token}
    {?position}, {position}, {position_done}, {position_tries}{/position}
