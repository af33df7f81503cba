-- SQLite stores any type in any column; time that is no integer would never come to pass.
SELECT
    {locked_by},
    CASE typeof({lock_until}) WHEN 'integer' THEN {lock_until} - {=now} END,
    typeof({lock_until}),
    {name} COLLATE BINARY = {:name}
    {?position}, {position}, {position_done}, {position_tries}, {=millis}{/position}
FROM {table}
WHERE {name} = {:name}
