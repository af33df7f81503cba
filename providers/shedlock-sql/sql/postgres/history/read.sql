-- Times in microseconds since 1970.
SELECT
    CAST(node AS text),
    CAST(EXTRACT(EPOCH FROM began) * 1000000 AS bigint),
    CAST(EXTRACT(EPOCH FROM ended) * 1000000 AS bigint),
    CAST(outcome AS text),
    CAST({fencing_token} AS bigint),
    CAST(error AS text),
    CAST({position} AS bigint), {position_done}, CAST({position_tries} AS bigint)
FROM {table}
WHERE {=usable} AND {name} = {:name} AND began >= {=began} AND began < {=ended}
ORDER BY began DESC, node DESC
LIMIT {=most_read}
