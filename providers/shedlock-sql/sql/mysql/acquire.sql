-- sqlx counts matched rows, so the number of affected rows says nothing. The answer comes back as the statement's insert
-- id, which LAST_INSERT_ID(expression) sets:
--   0: lost a race
--   1: the row is of another name, which the column's collation takes for this one
--   2: the row's end is NULL
--   from 3 on: held by somebody else for so many milliseconds and three
--   4e14: ours, and ended: this request comes after its own lease
--   from 5e14 on: paused for so many milliseconds, and three
--   from 1e15 on: ours; the microseconds since 1970, or more, which is the fencing token
-- A trigger of the table takes the answer away: zero comes back, although a row was written.
{briefly} INSERT INTO {table} (
    {name}, {lock_until}, {locked_at}, {locked_by}
    , {fencing_token} -- fencing
)
SELECT
    :name, TIMESTAMPADD(MICROSECOND, :lease, {now}), {now}, IF(LAST_INSERT_ID({clock}) = 0, '', :owner)
    , {clock} -- fencing
FROM DUAL
-- A refusal ends here, before anything is written. Under READ COMMITTED it waits for no row either.
WHERE {alone} AND NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = :name
        AND CAST(CONVERT(h.{name} USING utf8mb4) AS BINARY) = CAST(CONVERT(:name USING utf8mb4) AS BINARY)
        AND (h.{lock_until} > {now} OR {h.ours}) -- first
        AND (h.{lock_until} > {now}) <> (({h.ours}) IS TRUE) -- repeated
        AND LAST_INSERT_ID(
            IF(
                h.{lock_until} <= {now},
                400000000000000,
                TIMESTAMPDIFF(MICROSECOND, {now}, h.{lock_until}) DIV 1000 + 3 + IF({h.paused}, 500000000000000, 0)
            )
        ) > 0
)
-- Assignments see those to their left. The end comes last: until then, whether the row is free can still be told. A record
-- that bears our owner has a number of later writes behind it here, or its lease lives.
ON DUPLICATE KEY UPDATE
    {fencing_token} = IF({free}, LAST_INSERT_ID(GREATEST(COALESCE({fencing_token}, 0) + 1, {clock})), IF({mine}, LAST_INSERT_ID({fencing_token}), {fencing_token})), -- fencing
    {locked_at} = IF({free}, {now}, {locked_at}),
    {locked_by} = IF(
        {free},
        :owner,
        IF(
            {mine} OR LAST_INSERT_ID(IF({same}, {lock_until} IS NULL, 1) * IF({same}, 2, 1)) <> 99,
            {locked_by},
            ''
        )
    ),
    {lock_until} = IF({free}, TIMESTAMPADD(MICROSECOND, :lease, {now}), {lock_until})
