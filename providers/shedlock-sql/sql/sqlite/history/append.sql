-- The entry of a request that was sent twice is there already. Times are microseconds since 1970: two runs may begin in one millisecond.
INSERT INTO {table} (
    {name}, began, node, ended, outcome,
    {fencing_token}, {position}, {position_done}, {position_tries}, error
)
VALUES (
    {:name}, {:began}, {:node}, {:ended}, {:outcome},
    {:token}, {:position}, {:done}, {:tries}, {:error}
)
ON CONFLICT DO NOTHING
