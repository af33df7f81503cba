-- The entry of a request that was sent twice is there already.
INSERT INTO {table} (
    {name}, began, node, ended, outcome,
    {fencing_token}, {position}, {position_done}, {position_tries}, error
)
SELECT
    {:name}, {=began}, {:node}, {=ended}, {:outcome},
    CAST({:token} AS bigint), CAST({:position} AS bigint), CAST({:done} AS bigint) = 1, CAST({:tries} AS bigint), {:error}
WHERE {=usable}
ON CONFLICT DO NOTHING
