-- `{:lease}` is what is left of `at_least` by the holder's own count, so the database's start of the lease does not matter.
-- No condition on `lock_until`: a late release of a lock that nobody took is harmless, and keeps `at_least`. The same request,
-- asked again, finds its own number and changes nothing.
-- Cut to milliseconds, because a column of that precision rounds, and the lock would be free later than now.
UPDATE {table}
SET {lock_until} = CASE WHEN {=this_write} THEN {lock_until} ELSE date_trunc('milliseconds', {=now}) + {:lease} END, {locked_by} = {:owner}{?done}, {position_done} = TRUE{/done}{?unused}, {position_tries} = CASE WHEN {=first_write} THEN GREATEST({position_tries} - 1, 0) ELSE {position_tries} END{/unused}
WHERE {=usable} AND {name} = {:name} AND {=ours_up_to_this}
