CREATE TABLE IF NOT EXISTS {table} (
    {name} VARCHAR(64) NOT NULL,
    began DATETIME(6) NOT NULL,
    node VARCHAR(255) NOT NULL,
    ended DATETIME(6) NOT NULL,
    outcome VARCHAR(16) NOT NULL,
    {fencing_token} BIGINT,
    {position} BIGINT,
    {position_done} BOOLEAN,
    {position_tries} INTEGER,
    error VARCHAR(500),
    PRIMARY KEY ({name}, began, node),
    KEY {ended_index} (ended)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!100202 COLLATE utf8mb4_nopad_bin */
