SELECT
    name,
    type,
    CASE WHEN "notnull" AND dflt_value IS NULL THEN 'must be filled' ELSE '' END,
    ''
FROM pragma_table_info(?1, COALESCE(?2, 'main'))
ORDER BY cid
