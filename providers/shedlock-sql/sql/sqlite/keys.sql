SELECT 'primary key', name FROM pragma_table_info(?1, COALESCE(?2, 'main')) WHERE pk > 0
UNION ALL
SELECT l.name, COALESCE(i.name, '')
FROM pragma_index_list(?1, COALESCE(?2, 'main')) AS l
CROSS JOIN pragma_index_info(l.name, COALESCE(?2, 'main')) AS i
WHERE l."unique" AND NOT l.partial AND l.origin <> 'pk'
ORDER BY 1
