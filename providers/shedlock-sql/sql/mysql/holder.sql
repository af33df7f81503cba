-- What an attempt finds out when a trigger has taken the answer away. Who only wants to know the holder has no owner, and
-- every owner begins with that.
SELECT
    CAST({locked_by} AS CHAR),
    TIMESTAMPDIFF(MICROSECOND, {=now}, {lock_until}),
    {=same},
    ({:owner} <> '' AND {=ours}) IS TRUE,
    {?token}{fencing_token}{/token}{?no_token}NULL{/no_token}
    {?position}, {position}, {position_done}, {position_tries}, {=millis}{/position}
FROM {table}
WHERE {=usable} AND {name} = {:name}
