-- The keys of the runs follow, so rows are locked in the order of the primary key.
DELETE FROM {table} WHERE {=usable} AND
