CREATE TABLE IF NOT EXISTS {table} (
    {name} VARCHAR(64) NOT NULL PRIMARY KEY,
    {lock_until} INTEGER NOT NULL,
    {locked_at} INTEGER NOT NULL,
    {locked_by} VARCHAR(255) NOT NULL,
    {fencing_token} INTEGER NOT NULL DEFAULT 0,
    {position} INTEGER NOT NULL DEFAULT 0,
    {position_done} BOOLEAN NOT NULL DEFAULT TRUE,
    {position_tries} INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID
