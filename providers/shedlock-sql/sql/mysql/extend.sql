-- The same request, asked again, finds its own number and changes nothing. The end comes first: assignments see those to
-- their left.
UPDATE {table}
SET {lock_until} = IF({=this_write}, {lock_until}, TIMESTAMPADD(MICROSECOND, {:lease}, {=now})), {locked_by} = {:owner}
WHERE {=usable} AND {name} = {:name} AND {=ours_up_to_this} AND {lock_until} > {=now}
