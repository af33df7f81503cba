-- What an attempt finds out when a trigger has taken the answer away.
SELECT
    CAST({locked_by} AS CHAR),
    TIMESTAMPDIFF(MICROSECOND, {now}, {lock_until}),
    {same},
    {ours} IS TRUE,
    {fencing_token} -- fencing
    NULL -- plain
FROM {table}
WHERE {alone} AND {name} = :name
