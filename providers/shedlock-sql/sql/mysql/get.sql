-- Behind `list.sql`.
WHERE {name} = :name AND {same}
LIMIT 1
