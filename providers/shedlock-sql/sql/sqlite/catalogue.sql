-- All that is known of the table and of this session, one fact in a row: its kind, a name, and five more, as `schema/facts/rows.rs`
-- reads them.
WITH t AS MATERIALIZED (
    SELECT l.schema, l.name, l.type
    FROM pragma_table_list AS l
    LEFT JOIN pragma_database_list AS d ON d.name = l.schema
    WHERE l.name = {'bare_table} COLLATE NOCASE
        AND ({'schema} IS NULL OR l.schema = {'schema} COLLATE NOCASE)
    -- As SQLite looks for a bare name.
    ORDER BY l.schema = 'temp' DESC, d.seq
    LIMIT 1
)
SELECT
    'table', t.schema, IIF(t.type = 'virtual', 'virtual table', t.type),
    CASE
        WHEN t.schema = 'temp' THEN 'temporary'
        WHEN EXISTS (SELECT 1 FROM pragma_database_list AS d WHERE d.name = t.schema AND d.file <> '') THEN NULL
        ELSE 'no file'
    END,
    NULL, NULL, NULL
FROM t
UNION ALL
SELECT 'column', c.name, c.type, NULL, IIF(c."notnull" AND c.dflt_value IS NULL, 'true', NULL), IIF(c.hidden > 1, 'generated', NULL), NULL
FROM t
CROSS JOIN pragma_table_xinfo(t.name, t.schema) AS c
UNION ALL
-- A plain JOIN of these finds nothing. A partial one is none to ON CONFLICT. Nothing in the column's place is an expression.
SELECT 'key', l.name, x.name, IIF(x.coll = 'BINARY' COLLATE NOCASE, NULL, x.coll), NULL, NULL, IIF(l.origin = 'pk', 'true', NULL)
FROM t
CROSS JOIN pragma_index_list(t.name, t.schema) AS l
CROSS JOIN pragma_index_xinfo(l.name, t.schema) AS x
WHERE l."unique" AND NOT l.partial AND x.key
UNION ALL
-- A primary key without an index is another name for the number of the row.
SELECT 'row number', c.name, NULL, NULL, NULL, NULL, NULL
FROM t
CROSS JOIN pragma_table_info(t.name, t.schema) AS c
WHERE c.pk > 0 AND NOT EXISTS (SELECT 1 FROM pragma_index_list(t.name, t.schema) AS l WHERE l.origin = 'pk')
UNION ALL
SELECT 'trigger', s.name, NULL, NULL, NULL, NULL, NULL
FROM t
JOIN {schema}.sqlite_master AS s ON s.type = 'trigger' AND s.tbl_name = t.name COLLATE NOCASE
UNION ALL
SELECT 'foreign key', NULL, f."from", f."table", NULL, NULL, NULL
FROM t
CROSS JOIN pragma_foreign_key_list(t.name, t.schema) AS f
UNION ALL
SELECT 'session', 'foreign keys', CAST(p.foreign_keys AS TEXT), NULL, NULL, NULL, NULL
FROM pragma_foreign_keys AS p
UNION ALL
SELECT 'session', 'read-only', CAST(p.query_only AS TEXT), NULL, NULL, NULL, NULL
FROM pragma_query_only AS p
UNION ALL
SELECT 'session', 'commits', CAST(p.synchronous AS TEXT), NULL, NULL, NULL, NULL
FROM t
JOIN pragma_synchronous AS p ON p.schema = t.schema
UNION ALL
SELECT 'session', 'journal', p.journal_mode, NULL, NULL, NULL, NULL
FROM t
JOIN pragma_journal_mode AS p ON p.schema = t.schema
