-- Whether the name's column takes names for one another. Its collation is in no catalogue, so it is tried: the value has it from
-- the column beside it.
WITH tried (name) AS (SELECT {name} FROM {table} WHERE FALSE UNION ALL SELECT 'a')
SELECT 'mixing', NULL, NULL, NULL, NULL, NULL, NULL FROM tried WHERE name = 'A' OR name = 'a '
