-- Runs in a transaction of the user. It locks the row, so nobody takes the lock before the commit.
SELECT 1
FROM {table}
WHERE {=in_zone} AND {name} = {:name} AND {=ours_up_to_this} AND {lock_until} > {=now}
FOR UPDATE
