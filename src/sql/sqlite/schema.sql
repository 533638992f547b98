-- name: ListTables
-- Every table and view under our names, with its columns.
SELECT m.name, (SELECT group_concat(c.name, ',') FROM pragma_table_info(m.name) AS c)
FROM sqlite_schema AS m
WHERE m.type IN ('table', 'view') AND m.name LIKE 'pgqrs\_%' ESCAPE '\'
ORDER BY m.name;

-- name: DescribeSchema
-- The definitions of all objects under our names: what each belongs to, what it is, its text.
SELECT
  coalesce(
    (
      SELECT owner.type || ' ' || owner.name FROM sqlite_schema AS owner
      WHERE owner.name = object.tbl_name AND owner.name <> object.name
    ),
    ''
  ),
  object.type || ' ' || object.name,
  coalesce(object.sql, '')
FROM sqlite_schema AS object
WHERE object.name LIKE 'pgqrs\_%' ESCAPE '\' OR object.tbl_name LIKE 'pgqrs\_%' ESCAPE '\';

-- name: ListMigrations
SELECT version, name FROM pgqrs_schema_migrations ORDER BY version;

-- name: InsertMigration
INSERT INTO pgqrs_schema_migrations (version, name, applied_at) VALUES (?1, ?2, ?3);

-- name: CreateMigrations
CREATE TABLE IF NOT EXISTS pgqrs_schema_migrations (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at INTEGER NOT NULL
) STRICT;

-- name: IntegrityCheck
SELECT integrity_check FROM pragma_integrity_check;

-- name: FindOrphans
-- Rows that refer to something that is not there, or contradict themselves.
SELECT 'slice', s.id, 'its batch is missing in its queue' FROM pgqrs_slices AS s
WHERE NOT EXISTS (
  SELECT 1 FROM pgqrs_batches AS b WHERE b.id = s.id >> 6 AND b.queue_id = s.queue_id
)
UNION ALL
SELECT 'archive row', a.id, 'its batch is missing in its queue' FROM pgqrs_archive AS a
WHERE NOT EXISTS (
  SELECT 1 FROM pgqrs_batches AS b WHERE b.id = a.batch_id AND b.queue_id = a.queue_id
)
UNION ALL
SELECT 'batch', b.id, 'its queue is missing' FROM pgqrs_batches AS b
WHERE NOT EXISTS (SELECT 1 FROM pgqrs_queues AS q WHERE q.id = b.queue_id)
UNION ALL
SELECT 'batch', b.id, 'its payloads are no JSON array of its length' FROM pgqrs_batches AS b
WHERE NOT json_valid(b.payloads) OR json_array_length(b.payloads) <> b.n
UNION ALL
SELECT 'sequence', s.next, 'its next number is in use' FROM pgqrs_sequences AS s
WHERE s.name = 'batch' AND s.next <= (SELECT max(id) FROM pgqrs_batches);
