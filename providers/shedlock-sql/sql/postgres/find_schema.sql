-- In which schema of the session's search path an unqualified table is found: one row, with NULL where there is only a temporary
-- table, or none where there is nothing of that name. `current_schemas(false)` has no schema of temporary tables.
SELECT (
    SELECT CAST(n.nspname AS text)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY(current_schemas(false)) AND c.relkind NOT IN ('i', 'I', 't', 'c') AND c.relname = {'bare_table}
    ORDER BY array_position(current_schemas(false), n.nspname)
    LIMIT 1
) AS schema
WHERE to_regclass({'table}) IS NOT NULL
