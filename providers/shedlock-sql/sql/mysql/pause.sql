-- The answer comes back as the statement's insert id, as in `acquire.sql`: see ANSWERS.md.
INSERT INTO {table} (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
)
SELECT
    {:name}, {=until}, {=now}, IF(LAST_INSERT_ID({=answer_pause_written}) = 0, '', {:owner})
    {?token}, {=clock}{/token}
FROM DUAL
WHERE {=usable} AND {=until} > {=now}
-- The fencing token stays.
ON DUPLICATE KEY UPDATE
    {locked_at} = IF({=same}, {=now}, {locked_at}),
    {locked_by} = IF({=same}, {:owner}, IF(LAST_INSERT_ID({=answer_other_name}) = 0, '', {locked_by})),
    {lock_until} = IF({=same}, {=until}, {lock_until})
