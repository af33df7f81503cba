-- Prefixes are compared byte by byte, whatever the column's collation.
DELETE FROM {table}
WHERE {=usable} AND {lock_until} <= TIMESTAMPADD(MICROSECOND, -{:lease}, {=now})
    AND LOCATE(
        CAST(CONVERT({:prefix} USING utf8mb4) AS BINARY),
        CAST(CONVERT({name} USING utf8mb4) AS BINARY)
    ) = 1
LIMIT {=batch}
