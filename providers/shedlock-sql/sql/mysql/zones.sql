SELECT
    CAST(IF(@@session.time_zone = 'SYSTEM', @@system_time_zone, @@session.time_zone) AS CHAR),
    CAST(IF(@@global.time_zone = 'SYSTEM', @@system_time_zone, @@global.time_zone) AS CHAR)
