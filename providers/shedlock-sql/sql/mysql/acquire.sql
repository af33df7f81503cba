-- The answer comes back as the statement's insert id, which LAST_INSERT_ID(expression) sets: see ANSWERS.md. The number of
-- affected rows says nothing, as a driver may count matched rows.
{=briefly} INSERT INTO {table} (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
)
SELECT
    {:name}, TIMESTAMPADD(MICROSECOND, {:lease}, {=now}), {=now}, IF(LAST_INSERT_ID({=clock}) = 0, '', {:owner})
    {?token}, {=clock}{/token}
FROM DUAL
-- A refusal ends here, before anything is written. Under READ COMMITTED it waits for no row either.
WHERE {=alone} AND NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = {:name}
        AND {=h.same}
        {?first}AND (h.{lock_until} > {=now} OR {=h.ours}){/first}
        {?repeated}AND (h.{lock_until} > {=now}) <> (({=h.ours}) IS TRUE){/repeated}
        AND LAST_INSERT_ID(
            IF(
                h.{lock_until} <= {=now},
                {=answer_too_late},
                TIMESTAMPDIFF(MICROSECOND, {=now}, h.{lock_until}) DIV 1000 + {=answer_held} + IF({=h.paused}, {=answer_paused}, 0)
            )
        ) > 0
)
-- Assignments see those to their left. The end comes last: until then, whether the row is free can still be told. A record
-- that bears our owner has a number of later writes behind it here, or its lease lives.
ON DUPLICATE KEY UPDATE
    {?token}{fencing_token} = IF({=free}, LAST_INSERT_ID(GREATEST(COALESCE({fencing_token}, 0) + 1, {=clock})), IF({=mine}, LAST_INSERT_ID({fencing_token}), {fencing_token})),{/token}
    {locked_at} = IF({=free}, {=now}, {locked_at}),
    {locked_by} = IF(
        {=free},
        {:owner},
        IF(
            {=mine} OR LAST_INSERT_ID(IF({=same}, {lock_until} IS NULL, {=answer_other_name}) * IF({=same}, {=answer_no_end}, 1)) <> 99,
            {locked_by},
            ''
        )
    ),
    {lock_until} = IF({=free}, TIMESTAMPADD(MICROSECOND, {:lease}, {=now}), {lock_until})
