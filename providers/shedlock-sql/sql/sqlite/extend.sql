-- The same request, asked again, finds its own number and changes nothing.
UPDATE {table}
SET {lock_until} = CASE WHEN {=this_write} THEN {lock_until} ELSE {=now} + ({:lease} + 999) / 1000 END, {locked_by} = {:owner}
WHERE {name} = {:name} AND {=ours_up_to_this} AND {lock_until} > {=now}
