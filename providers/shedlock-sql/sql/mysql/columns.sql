SELECT
    CAST(column_name AS CHAR),
    CAST(column_type AS CHAR),
    CAST(IF(is_nullable = 'NO' AND column_default IS NULL AND extra = '', 'must be filled', extra) AS CHAR),
    CAST(COALESCE(collation_name, '') AS CHAR)
FROM information_schema.columns
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ?
ORDER BY ordinal_position
