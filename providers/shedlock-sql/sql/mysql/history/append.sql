-- If the entry of a request that was sent twice is there already, this is the error of a duplicate key: an `ON DUPLICATE KEY UPDATE` would
-- need one more privilege, and an `IGNORE` would hide other errors.
INSERT INTO {table} (
    {name}, began, node, ended, outcome,
    {fencing_token}, {position}, {position_done}, {position_tries}, error
)
SELECT
    {:name}, {=began}, {:node}, {=ended}, {:outcome},
    {:token}, {:position}, {:done}, {:tries}, {:error}
FROM DUAL
WHERE {=usable}
