-- Times in microseconds since 1970.
SELECT
    CAST(node AS CHAR),
    TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), began),
    TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01 00:00:00'), ended),
    CAST(outcome AS CHAR),
    {fencing_token},
    CAST(error AS CHAR),
    {position}, {position_done}, {position_tries}
FROM {table}
WHERE {=usable} AND {name} = {:name} AND {=same} AND began >= {=began} AND began < {=ended}
ORDER BY began DESC, node DESC
LIMIT {=most_read}
