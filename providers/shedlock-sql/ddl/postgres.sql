CREATE TABLE IF NOT EXISTS {table} (
    {name} VARCHAR(64) NOT NULL PRIMARY KEY,
    {lock_until} TIMESTAMP NOT NULL,
    {locked_at} TIMESTAMP NOT NULL,
    {locked_by} VARCHAR(255) NOT NULL,
    {fencing_token} BIGINT NOT NULL DEFAULT 0,
    {position} BIGINT NOT NULL DEFAULT 0,
    {position_done} BOOLEAN NOT NULL DEFAULT TRUE,
    {position_tries} INTEGER NOT NULL DEFAULT 0
) WITH (fillfactor = 70)
