-- Behind `list.sql`.
AND {name} = :name AND {same}
LIMIT 1
