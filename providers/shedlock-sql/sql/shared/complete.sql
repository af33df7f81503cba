-- Runs in a transaction of the user, together with the work. It locks the row, so nobody takes the lock before the commit.
UPDATE {table}
SET {position_done} = TRUE, {lock_until} = {lock_until} -- or MySQL may write the time of the change there
WHERE {=in_zone} AND {name} = {:name} AND {=ours_up_to_this} AND {lock_until} > {=now}
