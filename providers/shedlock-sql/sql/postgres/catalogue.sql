-- All that is known of the table and of this session, one fact in a row: its kind, a name, and five more, as `schema/facts/rows.rs`
-- reads them.
WITH RECURSIVE
t AS (
    SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relpersistence
    FROM pg_class AS c
    WHERE c.oid = to_regclass({'table})
),
-- A domain stands for its base type, which has the length too.
types AS (
    SELECT a.attnum, a.atttypid AS type, a.atttypmod AS typmod, a.attnotnull AS filled, a.atthasdef AS has_default, FALSE AS is_domain
    FROM t
    JOIN pg_attribute AS a ON a.attrelid = t.oid
    WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, d.typbasetype, d.typtypmod, b.filled OR d.typnotnull, b.has_default OR d.typdefault IS NOT NULL, TRUE
    FROM types AS b
    JOIN pg_type AS d ON d.oid = b.type AND d.typtype = 'd'
),
-- Older servers lack the column, and have no such collation.
mixing AS (
    SELECT c.oid, CAST(c.collname AS text) AS name
    FROM pg_collation AS c
    WHERE to_jsonb(c) ->> 'collisdeterministic' = 'false'
)
SELECT
    'table', CAST(n.nspname AS text),
    CASE t.relkind
        WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table' WHEN 'S' THEN 'sequence' ELSE 'type or index'
    END,
    CASE t.relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' END,
    CAST(row_security_active(t.oid) AS text), CAST(t.relkind = 'p' AS text), NULL
FROM t
JOIN pg_namespace AS n ON n.oid = t.relnamespace
UNION ALL
SELECT
    'column', CAST(a.attname AS text), format_type(b.type, b.typmod), m.name,
    CAST(b.filled AND NOT b.has_default AND a.attidentity = '' AS text),
    CASE WHEN a.attidentity = 'a' OR to_jsonb(a) ->> 'attgenerated' <> '' THEN 'generated' END, NULL
FROM t
JOIN pg_attribute AS a ON a.attrelid = t.oid
JOIN types AS b ON b.attnum = a.attnum
JOIN pg_type AS y ON y.oid = b.type AND y.typtype <> 'd'
LEFT JOIN mixing AS m ON m.oid = a.attcollation
UNION ALL
-- A partial one is none to ON CONFLICT. Nothing in the column's place is an expression.
SELECT
    'key', CAST(x.relname AS text), CAST(a.attname AS text), m.name, CAST(NOT i.indimmediate AS text), CAST(c.conname AS text),
    CAST(i.indisprimary AS text)
FROM t
JOIN pg_index AS i ON i.indrelid = t.oid
JOIN pg_class AS x ON x.oid = i.indexrelid
CROSS JOIN LATERAL unnest(CAST(i.indkey AS smallint[]), CAST(i.indcollation AS oid[])) WITH ORDINALITY AS k (attnum, sorting, position)
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
LEFT JOIN pg_constraint AS c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u')
LEFT JOIN mixing AS m ON m.oid = k.sorting
WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND k.position <= i.indnkeyatts
UNION ALL
-- Those of foreign keys are internal.
SELECT
    'trigger', CAST(g.tgname AS text), CASE WHEN g.tgtype & 2 > 0 THEN 'BEFORE' ELSE 'AFTER' END, NULL, NULL, NULL, NULL
FROM t
JOIN pg_trigger AS g ON g.tgrelid = t.oid
WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 20 > 0
UNION ALL
SELECT 'rule', CAST(r.rulename AS text), NULL, NULL, NULL, NULL, NULL
FROM t
JOIN pg_rewrite AS r ON r.ev_class = t.oid
WHERE r.ev_type IN ('2', '3') AND t.relkind IN ('r', 'p')
UNION ALL
SELECT 'foreign key', CAST(c.conname AS text), CAST(a.attname AS text), CAST(CAST(c.confrelid AS regclass) AS text), NULL, NULL, NULL
FROM t
JOIN pg_constraint AS c ON c.conrelid = t.oid AND c.contype = 'f'
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY(c.conkey)
WHERE to_jsonb(c) ->> 'conenforced' IS DISTINCT FROM 'false'
UNION ALL
SELECT 'check', CAST(c.conname AS text), CAST(a.attname AS text), pg_get_constraintdef(c.oid), NULL, NULL, NULL
FROM t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_constraint AS c ON c.contype = 'c' AND (c.conrelid = t.oid AND a.attnum = ANY(c.conkey) OR c.contypid = a.atttypid)
UNION ALL
-- Those for this user: whether it lets rows through by itself, and whether it lets all be read and all be written.
SELECT
    'policy', CAST(p.polname AS text), CAST(p.polcmd AS text), CAST(p.polpermissive AS text),
    CAST(pg_get_expr(p.polqual, p.polrelid) IS NOT DISTINCT FROM 'true' AS text),
    CAST(pg_get_expr(COALESCE(p.polwithcheck, p.polqual), p.polrelid) IS NOT DISTINCT FROM 'true' AS text),
    NULL
FROM t
JOIN pg_policy AS p ON p.polrelid = t.oid
WHERE row_security_active(t.oid)
    AND EXISTS (SELECT 1 FROM unnest(p.polroles) AS r (role) WHERE r.role = 0 OR pg_has_role(r.role, 'USAGE'))
UNION ALL
-- What another search path would lead to.
SELECT 'elsewhere', CAST(n.nspname AS text), NULL, NULL, NULL, NULL, NULL
FROM t
JOIN pg_class AS o ON o.relname = t.relname AND o.oid <> t.oid AND o.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_namespace AS n ON n.oid = o.relnamespace
WHERE {'named_schema} IS NULL
    AND t.relpersistence <> 't' AND o.relpersistence <> 't'
    AND has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT 'session', s.name, s.value, NULL, NULL, NULL, NULL
FROM (
    VALUES
        ('user', CAST(current_user AS text)),
        ('database', CAST(current_database() AS text)),
        ('zone', current_setting('TimeZone')),
        ('read-only', current_setting('transaction_read_only')),
        ('standby', CAST(pg_is_in_recovery() AS text)),
        ('commits', current_setting('synchronous_commit'))
) AS s (name, value)
