SELECT
    CAST(node AS TEXT), began, ended, CAST(outcome AS TEXT),
    {fencing_token}, CAST(error AS TEXT),
    {position}, {position_done}, {position_tries}
FROM {table}
WHERE {name} = {:name} AND began >= {:began} AND began < {:ended}
ORDER BY began DESC, node DESC
LIMIT {=most_read}
