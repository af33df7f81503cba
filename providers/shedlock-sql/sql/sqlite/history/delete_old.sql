DELETE FROM {table}
WHERE rowid IN (
    SELECT rowid
    FROM {table}
    WHERE ended < {=now} * 1000 - {:lease}
    ORDER BY ended
    LIMIT {=deleted_at_once}
)
