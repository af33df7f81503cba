-- Behind `list.sql`.
WHERE {name} = :name
