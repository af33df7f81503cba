-- All but the last runs of one lock. See `delete_old.sql`.
DELETE FROM {table}
WHERE {=usable} AND ctid = ANY(ARRAY(
    SELECT ctid
    FROM {table}
    WHERE {name} = {:name}
    ORDER BY began DESC, node DESC
    LIMIT {=deleted_at_once} OFFSET {=bound_number}
))
AND {name} = {:name} AND began <= (
    SELECT began
    FROM {table}
    WHERE {name} = {:name}
    ORDER BY began DESC, node DESC
    LIMIT 1 OFFSET {=bound_number}
)
