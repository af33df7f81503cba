CREATE TABLE IF NOT EXISTS {table} (
    {name} VARCHAR(64) NOT NULL,
    began TIMESTAMP NOT NULL,
    node VARCHAR(255) NOT NULL,
    ended TIMESTAMP NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    {fencing_token} BIGINT,
    {position} BIGINT,
    {position_done} BOOLEAN,
    {position_tries} INTEGER,
    error VARCHAR(500),
    PRIMARY KEY ({name}, began, node)
);
CREATE INDEX IF NOT EXISTS {ended_index} ON {table} (ended)
