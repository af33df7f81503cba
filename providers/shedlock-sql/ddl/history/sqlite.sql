CREATE TABLE IF NOT EXISTS {table} (
    {name} VARCHAR(64) NOT NULL,
    began INTEGER NOT NULL,
    node VARCHAR(255) NOT NULL,
    ended INTEGER NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    {fencing_token} INTEGER,
    {position} INTEGER,
    {position_done} BOOLEAN,
    {position_tries} INTEGER,
    error VARCHAR(500),
    PRIMARY KEY ({name}, began, node)
);
CREATE INDEX IF NOT EXISTS {schema}.{ended_index} ON {bare_table} (ended)
