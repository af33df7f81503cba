-- The answer comes back as the statement's insert id, as in `acquire.sql`:
--   0: the end has passed by now, and nothing was written
--   1: the row is of another name, which the column's collation takes for this one
--   2: paused
INSERT INTO {table} (
    {name}, {lock_until}, {locked_at}, {locked_by}
    , {fencing_token} -- fencing
)
SELECT
    :name, {until}, {now}, IF(LAST_INSERT_ID(2) = 0, '', :owner)
    , {clock} -- fencing
FROM DUAL
WHERE {alone} AND {until} > {now}
-- The fencing token stays.
ON DUPLICATE KEY UPDATE
    {locked_at} = IF({same}, {now}, {locked_at}),
    {locked_by} = IF({same}, :owner, IF(LAST_INSERT_ID(1) = 0, '', {locked_by})),
    {lock_until} = IF({same}, {until}, {lock_until})
