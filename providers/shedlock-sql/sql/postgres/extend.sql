-- The same request, asked again, finds its own number and changes nothing.
UPDATE {table}
SET {lock_until} = CASE WHEN {again} THEN {lock_until} ELSE {now} + :lease END, {locked_by} = :owner
WHERE {alone} AND {name} = :name AND {ours} AND {lock_until} > {now}
