-- `{:lease}` is what is left of `at_least` by the holder's own count, so the database's start of the lease does not matter.
-- No condition on `lock_until`: a late release of a lock that nobody took is harmless, and keeps `at_least`. The same request,
-- asked again, finds its own number and changes nothing. The end comes first: assignments see those to their left.
-- Cut to milliseconds, because a column of that precision rounds, and the lock would be free later than now.
UPDATE {table}
SET
    {lock_until} = IF({=this_write}, {lock_until}, TIMESTAMPADD(MICROSECOND, {:lease} - MICROSECOND({=now}) MOD 1000, {=now})),
    {?unused}{position_tries} = IF({=first_write}, GREATEST({position_tries} - 1, 0), {position_tries}),{/unused}
    {locked_by} = {:owner}{?done}, {position_done} = TRUE{/done}
WHERE {=usable} AND {name} = {:name} AND {=ours_up_to_this}
