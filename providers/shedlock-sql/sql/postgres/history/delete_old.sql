-- The time of the statement, which an index can be searched for. Rows are visited in the order of their places, so two clean-ups at once
-- wait for each other and do not deadlock. The condition is there twice, because places of a partitioned table are not unique.
DELETE FROM {table}
WHERE {=usable} AND ctid = ANY(ARRAY(
    SELECT ctid
    FROM {table}
    WHERE ended < timezone('utc', statement_timestamp()) - {:lease}
    ORDER BY ended
    LIMIT {=deleted_at_once}
))
AND ended < timezone('utc', statement_timestamp()) - {:lease}
