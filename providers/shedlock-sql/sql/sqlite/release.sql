-- No condition on `lock_until`: a late release of a lock that nobody took is harmless, and keeps `at_least`.
UPDATE {table}
SET {lock_until} = MAX({now}, {locked_at} + (:lease + 999) / 1000)
WHERE {name} = :name AND {locked_by} = :owner
