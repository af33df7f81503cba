-- Behind `list.sql`.
AND {name} = :name
