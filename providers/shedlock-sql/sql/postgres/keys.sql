-- Neither partial nor deferrable: ON CONFLICT takes no other.
SELECT CAST(i.indexrelid AS text), COALESCE(CAST(a.attname AS text), '')
FROM pg_index AS i
CROSS JOIN LATERAL unnest(CAST(i.indkey AS smallint[])) WITH ORDINALITY AS k (attnum, position)
LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = to_regclass($1)
    AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
    AND k.position <= i.indnkeyatts
ORDER BY i.indexrelid
