-- Who holds the lock: nobody, if there is no row.
SELECT CAST({locked_by} AS text), date_part('epoch', CAST({lock_until} AS timestamp)) - date_part('epoch', {=now})
FROM {table}
WHERE {=alone} AND {name} = {:name} AND {lock_until} > {=now}
