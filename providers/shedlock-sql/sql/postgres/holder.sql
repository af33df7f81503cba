-- Who holds the lock: nobody, if there is no row. For a position also the row of a free lock.
SELECT
    CAST({locked_by} AS text), date_part('epoch', CAST({lock_until} AS timestamp)) - date_part('epoch', {=now})
    {?position}, CAST({position} AS bigint), {position_done}, CAST({position_tries} AS bigint), {=millis}{/position}
FROM {table}
WHERE {=usable} AND {name} = {:name} {?no_position}AND {lock_until} > {=now}{/no_position}
