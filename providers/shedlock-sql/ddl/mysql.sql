CREATE TABLE IF NOT EXISTS {table} (
    {name} VARCHAR(64) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!100202 COLLATE utf8mb4_nopad_bin */ NOT NULL PRIMARY KEY,
    {lock_until} DATETIME(6) NOT NULL,
    {locked_at} DATETIME(6) NOT NULL,
    {locked_by} VARCHAR(255) CHARACTER SET utf8mb4 NOT NULL,
    {fencing_token} BIGINT NOT NULL DEFAULT 0,
    {position} BIGINT NOT NULL DEFAULT 0,
    {position_done} BOOLEAN NOT NULL DEFAULT TRUE,
    {position_tries} INTEGER NOT NULL DEFAULT 0
) ENGINE = InnoDB
