-- Runs in a transaction of the user. A reading statement would let others write before the commit; this one changes nothing.
UPDATE {table}
SET {locked_by} = {locked_by}
WHERE {=in_zone} AND {name} = {:name} AND {=ours_up_to_this} AND {lock_until} > {=now}
RETURNING 1
