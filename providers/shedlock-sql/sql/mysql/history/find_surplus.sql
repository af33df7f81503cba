-- Which runs of one lock to delete by `delete.sql`: all but the last. See `find_old.sql`.
SELECT CAST({name} AS CHAR), CAST(began AS CHAR), CAST(node AS CHAR)
FROM {table}
WHERE {=usable} AND {name} = {:name} AND {=same}
ORDER BY began DESC, node DESC
LIMIT {=deleted_at_once} OFFSET {:number}
