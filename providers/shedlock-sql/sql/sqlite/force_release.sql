-- The mark replaces the owner, so nothing that the holder has on its way finds its row. A row without a usable end is freed
-- too: text is greater than any number here.
UPDATE {table}
SET {lock_until} = {=now}, {locked_by} = {:owner}
WHERE {name} = {:name} AND {name} COLLATE BINARY = {:name} AND ({lock_until} > {=now} OR {lock_until} IS NULL)
