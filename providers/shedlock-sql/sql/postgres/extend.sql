-- The same request, asked again, finds its own number and changes nothing.
UPDATE {table}
SET {lock_until} = CASE WHEN {=this_write} THEN {lock_until} ELSE {=now} + {:lease} END, {locked_by} = {:owner}
WHERE {=usable} AND {name} = {:name} AND {=ours_up_to_this} AND {lock_until} > {=now}
