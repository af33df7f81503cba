-- Which runs of all locks to delete by `delete.sql`. A deletion that looked for them itself would lock them in the order in which it finds
-- them, and two deletions that look for different ones would deadlock.
SELECT CAST({name} AS CHAR), CAST(began AS CHAR), CAST(node AS CHAR)
FROM {table}
WHERE {=usable} AND ended < TIMESTAMPADD(MICROSECOND, -{:lease}, UTC_TIMESTAMP(6))
ORDER BY ended
LIMIT {=deleted_at_once}
