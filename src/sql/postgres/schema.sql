-- {schema} stands for the quoted name of the schema in which all objects live.

-- name: ListTables
-- Every table and view under our names, with its columns. Partitions are parts of their tables.
SELECT c.relname::text, string_agg(a.attname::text, ',' ORDER BY a.attnum)
FROM pg_catalog.pg_class AS c
  JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE s.nspname = {schema_text} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND NOT c.relispartition AND c.relname LIKE 'pgqrs\_%'
GROUP BY c.relname
ORDER BY c.relname;

-- name: ListMigrations
SELECT version, name FROM {schema}.pgqrs_schema_migrations ORDER BY version;

-- name: InsertMigration
INSERT INTO {schema}.pgqrs_schema_migrations (version, name, applied_at) VALUES ($1, $2, $3);

-- name: CreateMigrations
DO $do$
BEGIN
  -- Not IF NOT EXISTS, which needs the right to make schemas also where there is none to make.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {schema_text}) THEN
    CREATE SCHEMA {schema};
  END IF;
END
$do$;
CREATE TABLE IF NOT EXISTS {schema}.pgqrs_schema_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL
);

-- name: IntegrityCheck
-- The server has no check that everyone may run and that does not stop the work.
SELECT 'ok'::text;

-- name: FindOrphans
-- Rows that refer to something that is not there, or contradict themselves.
SELECT 'slice', s.id, 'its batch is missing in its queue' FROM {schema}.pgqrs_slices AS s
WHERE NOT EXISTS (
  SELECT 1 FROM {schema}.pgqrs_batches AS b WHERE b.queue_id = s.queue_id AND b.id = s.id >> 6
)
UNION ALL
SELECT 'archive row of batch', a.batch_id, 'its batch is missing in its queue'
FROM {schema}.pgqrs_archive AS a
WHERE NOT EXISTS (
  SELECT 1 FROM {schema}.pgqrs_batches AS b WHERE b.queue_id = a.queue_id AND b.id = a.batch_id
)
UNION ALL
SELECT 'batch', b.id, 'its queue is missing' FROM {schema}.pgqrs_batches AS b
WHERE NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_queues AS q WHERE q.id = b.queue_id)
UNION ALL
SELECT 'batch', b.id, 'its payloads are no JSON array of its length'
FROM {schema}.pgqrs_batches AS b
WHERE CASE jsonb_typeof(b.payloads) WHEN 'array' THEN jsonb_array_length(b.payloads) <> b.n
  ELSE true END
UNION ALL
SELECT 'sequence', s.last_value, 'its next number is in use'
FROM {schema}.pgqrs_batch_ids AS s
WHERE s.last_value < (SELECT max(b.id) FROM {schema}.pgqrs_batches AS b);
