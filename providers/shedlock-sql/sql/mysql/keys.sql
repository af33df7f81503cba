SELECT CAST(index_name AS CHAR), CAST(IF(sub_part IS NULL, column_name, '') AS CHAR)
FROM information_schema.statistics
WHERE table_schema = COALESCE(?, DATABASE()) AND table_name = ? AND non_unique = 0
ORDER BY index_name, seq_in_index
