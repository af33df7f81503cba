-- Microseconds since 1970. SQLite stores any type in any column; time that is no integer would never come to pass.
SELECT
    CAST({name} AS TEXT),
    CAST({locked_by} AS TEXT),
    CASE typeof({locked_at}) WHEN 'integer' THEN {locked_at} * 1000 END,
    CASE typeof({lock_until}) WHEN 'integer' THEN {lock_until} * 1000 END,
    {=now} * 1000,
    {?token}{fencing_token}{/token}{?no_token}NULL{/no_token},
    typeof({lock_until})
    {?position}, {position}, {position_done}, {position_tries}{/position}
FROM {table}
{?one}WHERE {name} = {:name} AND {name} COLLATE BINARY = {:name}{/one}
