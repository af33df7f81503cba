-- All but the last runs of one lock.
DELETE FROM {table}
WHERE rowid IN (
    SELECT rowid
    FROM {table}
    WHERE {name} = {:name}
    ORDER BY began DESC, node DESC
    LIMIT {=deleted_at_once} OFFSET {:number}
)
