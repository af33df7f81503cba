SELECT {locked_by}, {lock_until} FROM {table} WHERE {name} = :name
