-- Gives one row if the lock is ours or paused, and none if it is held. To say in the same statement who holds it takes CTEs,
-- which cost a third of the speed; the server also prepares each expression anew each time, so there are few. A request that
-- is sent for the first time need not look for itself in a live lease; where it comes late, after its repetition, it is refused.
INSERT INTO {table} AS l (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
    {?position}, {position}, {position_done}, {position_tries}{/position}
)
SELECT
    {:name}, {=now} + {:lease}, {=now}, {:owner}
    {?token}, CAST(date_part('epoch', clock_timestamp()) * 1000000 AS bigint){/token}
    {?position}, {=number}, FALSE, 1{/position}
-- A plain upsert locks the row and writes WAL even when its own condition refuses. The CASE asks for a transaction first.
WHERE CASE WHEN {=usable} THEN NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = {:name} AND {?position}({/position}h.{lock_until} > {=now} AND ({=h.paused}) IS NOT TRUE
        {?repeated}AND ({=h.ours}) IS NOT TRUE{/repeated}
        {?position}OR h.{lock_until} <= {=now} AND ({=h.ours}) IS NOT TRUE AND NOT ({=h.begins})){/position}
)
{?step}AND ({=bound_number} = 1 OR EXISTS (SELECT 1 FROM {table} AS h WHERE h.{name} = {:name})){/step} AND {=briefly} END
-- What is kept is written as it was: a pause only to give a row, a record that bears our owner because this request came
-- before, whether the lease lives or has ended, or one without an end. Whether it lives is judged by EXCLUDED, which stands
-- still from column to column; a new lease has fresh times, as the statement may have waited for the row.
ON CONFLICT ({name}) DO UPDATE SET
    {lock_until} = CASE WHEN {=keeps} THEN l.{lock_until} ELSE {=now} + {:lease} END,
    {locked_at} = CASE WHEN {=keeps} THEN l.{locked_at} ELSE {=now} END,
    {locked_by} = CASE WHEN {=keeps} THEN l.{locked_by} ELSE EXCLUDED.{locked_by} END
    {?token}, {fencing_token} = CASE WHEN {=keeps} THEN l.{fencing_token} ELSE GREATEST(l.{fencing_token} + 1, EXCLUDED.{fencing_token}) END{/token}
    {?position}
    , {position_tries} = CASE WHEN {=keeps} THEN l.{position_tries} WHEN l.{position} = EXCLUDED.{position} THEN l.{position_tries} + 1 ELSE 1 END
    , {position_done} = CASE WHEN {=keeps} THEN l.{position_done} ELSE FALSE END
    , {position} = CASE WHEN {=keeps} THEN l.{position} ELSE EXCLUDED.{position} END
    {/position}
WHERE (l.{lock_until} <= EXCLUDED.{locked_at} AND ({=l.ours}) IS NOT TRUE{?position} AND ({=l.begins}){/position}) OR l.{lock_until} IS NULL OR {=l.paused}
    {?repeated}OR {=l.ours}{/repeated}
RETURNING
    -- A column of type date would cut the lease to nothing.
    {lock_until} > {locked_at}
    , {locked_by}
    -- The seconds that are left. Each is taken by itself, as infinity less anything is an error before PostgreSQL 17; the cast
    -- undoes what the session's zone did to a column with one.
    , date_part('epoch', CAST({lock_until} AS timestamp)) - date_part('epoch', {=now})
    {?token}, {fencing_token}{/token}
    {?position}, CAST({position} AS bigint), {position_done}, CAST({position_tries} AS bigint){/position}
