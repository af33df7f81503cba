-- All that is known of the table and of this session, one fact in a row: its kind, a name, and five more, as `schema/facts/rows.rs`
-- reads them. No literal is empty, as a session may take that for NULL; the limit is there because a session may have another.
SELECT *
FROM (
    SELECT
        CAST('table' AS CHAR) AS fact, CAST(table_schema AS CHAR) AS name,
        CASE
            WHEN table_type IN ('BASE TABLE', 'SYSTEM VERSIONED', 'TEMPORARY') THEN 'table'
            WHEN table_type LIKE '%VIEW' THEN 'view'
            ELSE CAST(LOWER(table_type) AS CHAR)
        END AS a,
        IF(table_type = 'TEMPORARY', 'temporary', NULL) AS b, CAST(NULL AS CHAR) AS c,
        IF(create_options LIKE '%partitioned%', 'true', NULL) AS d, CAST(engine AS CHAR) AS e
    FROM information_schema.tables
    WHERE table_schema = {'schema} AND table_name = {'bare_table}
    UNION ALL
    SELECT 'view', NULL, CAST(view_definition AS CHAR), NULL, NULL, NULL, NULL
    FROM information_schema.views
    WHERE table_schema = {'schema} AND table_name = {'bare_table} AND is_updatable = 'YES'
    UNION ALL
    SELECT
        'column', CAST(column_name AS CHAR), CAST(column_type AS CHAR), CAST(collation_name AS CHAR),
        IF(
            is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%'
                AND extra NOT LIKE '%VIRTUAL%' AND extra NOT LIKE '%STORED%' AND extra NOT LIKE '%PERSISTENT%',
            'true', NULL
        ),
        CASE
            WHEN extra LIKE '%auto_increment%' THEN 'counts'
            WHEN extra LIKE '%VIRTUAL%' OR extra LIKE '%STORED%' OR extra LIKE '%PERSISTENT%' THEN 'generated'
        END,
        NULL
    FROM information_schema.columns
    WHERE table_schema = {'schema} AND table_name = {'bare_table}
    UNION ALL
    -- Nothing in the column's place is a part of it, or an expression.
    SELECT 'key', CAST(index_name AS CHAR), IF(sub_part IS NULL, CAST(column_name AS CHAR), NULL), NULL, NULL, NULL, NULL
    FROM information_schema.statistics
    WHERE table_schema = {'schema} AND table_name = {'bare_table} AND non_unique = 0
    UNION ALL
    SELECT 'trigger', CAST(trigger_name AS CHAR), CAST(action_timing AS CHAR), NULL, NULL, NULL, NULL
    FROM information_schema.triggers
    WHERE event_object_schema = {'schema} AND event_object_table = {'bare_table} AND event_manipulation IN ('INSERT', 'UPDATE')
    UNION ALL
    SELECT
        'foreign key', CAST(constraint_name AS CHAR), CAST(column_name AS CHAR), CAST(referenced_table_name AS CHAR),
        NULL, NULL, NULL
    FROM information_schema.key_column_usage
    WHERE table_schema = {'schema} AND table_name = {'bare_table} AND referenced_table_name IS NOT NULL
    UNION ALL
    SELECT 'check', CAST(constraint_name AS CHAR), NULL, NULL, NULL, NULL, NULL
    FROM information_schema.table_constraints
    WHERE table_schema = {'schema} AND table_name = {'bare_table} AND constraint_type = 'CHECK'
    UNION ALL
    SELECT 'session', 'zone', CAST(IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone) AS CHAR), NULL, NULL, NULL, NULL
    UNION ALL
    SELECT 'session', 'zone of others', CAST(IF(@@global.time_zone = 'SYSTEM', @@system_time_zone, @@global.time_zone) AS CHAR), NULL, NULL, NULL, NULL
    UNION ALL
    SELECT 'session', 'autocommit', CAST(@@session.autocommit AS CHAR), NULL, NULL, NULL, NULL
    UNION ALL
    SELECT
        'session', 'read-only', CAST(/*!80003 @@session.transaction_read_only */ /*M!100000 @@session.tx_read_only */ AS CHAR),
        NULL, NULL, NULL, NULL
    UNION ALL
    SELECT 'session', 'foreign keys', CAST(@@session.foreign_key_checks AS CHAR), NULL, NULL, NULL, NULL
    UNION ALL
    SELECT 'session', 'commits', CAST(@@global.innodb_flush_log_at_trx_commit AS CHAR), NULL, NULL, NULL, NULL
) AS facts
LIMIT 1000000
