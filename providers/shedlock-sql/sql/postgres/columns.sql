SELECT
    CAST(a.attname AS text),
    format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' THEN 'must be filled' ELSE '' END,
    CAST('' AS text)
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
