-- The answer comes back as the statement's insert id, which LAST_INSERT_ID(expression) sets: see ANSWERS.md. The number of
-- affected rows says nothing, as a driver may count matched rows.
{=briefly} INSERT INTO {table} (
    {name}, {lock_until}, {locked_at}, {locked_by}
    {?token}, {fencing_token}{/token}
    {?position}, {position}, {position_done}, {position_tries}{/position}
)
SELECT
    {:name}, TIMESTAMPADD(MICROSECOND, {:lease}, {=now}), {=now}, IF(LAST_INSERT_ID({=clock}) = 0, '', {:owner})
    {?token}, {=clock}{/token}
    {?position}, {=number}, FALSE, 1{/position}
FROM DUAL
-- A refusal ends here, before anything is written. Under READ COMMITTED it waits for no row either.
WHERE {=usable} AND NOT EXISTS (
    SELECT 1
    FROM {table} AS h
    WHERE h.{name} = {:name}
        AND {=h.same}
        {?first}AND (h.{lock_until} > {=now} OR {=h.ours} OR {=h.unreleased}{?position} OR NOT ({=h.begins}){/position}){/first}
        {?repeated}AND ((h.{lock_until} > {=now}) <> (({=h.ours}) IS TRUE)
            {?careful}OR h.{lock_until} <= {=now} AND {=h.unreleased}{/careful}
            {?position}OR h.{lock_until} <= {=now} AND NOT ({=h.begins}){/position}
        ){/repeated}
        AND LAST_INSERT_ID(
            IF(
                h.{lock_until} <= {=now},
                IF(
                    {=h.ours},
                    {=answer_too_late},
                    {?position}IF({=h.begins}, {=answer_unreleased}, {=answer_not_due}){/position}{?no_position}{=answer_unreleased}{/no_position}
                ),
                TIMESTAMPDIFF(MICROSECOND, {=now}, h.{lock_until}) DIV 1000 + {=answer_held} + IF({=h.paused}, {=answer_paused}, 0)
            )
        ) > 0
)
{?step}AND ({=bound_number} = 1 OR EXISTS (SELECT 1 FROM {table} AS h WHERE h.{name} = {:name} AND {=h.same})){/step}
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
    {?position}
    {position_tries} = IF({=taken}, IF({position} = {=number}, {position_tries} + 1, 1), {position_tries}),
    {position_done} = IF({=taken}, FALSE, {position_done}),
    {position} = IF({=taken}, {=number}, {position}),
    {/position}
    {lock_until} = IF({?position}{=taken}{/position}{?no_position}{=free}{/no_position}, TIMESTAMPADD(MICROSECOND, {:lease}, {=now}), {lock_until})
