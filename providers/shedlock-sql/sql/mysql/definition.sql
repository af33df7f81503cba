-- The only place where a temporary table shows.
SHOW CREATE TABLE {table}
