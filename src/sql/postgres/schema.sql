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

-- name: DescribeSchema
-- The definitions of all objects under our names: what each belongs to, what it is, its text. That
-- names the schema unless it is on the search path. Partitions are left out with all they have, and
-- so is a column's compression: it depends on what the server offered when the schema was installed,
-- and a dump takes it to another one. So is what some versions of the server note among the options of
-- a column, under names that begin with pg_.
WITH relations AS (
  SELECT c.*,
    CASE c.relkind
      WHEN 'v' THEN 'view '
      WHEN 'm' THEN 'materialized view '
      WHEN 'S' THEN 'sequence '
      ELSE 'table '
    END || c.relname AS title
  FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS s ON s.oid = c.relnamespace
  WHERE s.nspname = {schema_text} AND c.relname LIKE 'pgqrs\_%'
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT c.relispartition
)
SELECT '', r.title,
  concat_ws(
    ', ', r.relkind, r.relpersistence, r.relrowsecurity, r.relforcerowsecurity,
    pg_get_partkeydef(r.oid), array_to_string(r.reloptions, ', '),
    'toast: ' || array_to_string(t.reloptions, ', '),
    CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END,
    q.seqtypid::regtype, q.seqstart, q.seqincrement, q.seqmin, q.seqmax, q.seqcache, q.seqcycle
  )
FROM relations AS r
  LEFT JOIN pg_catalog.pg_class AS t ON t.oid = r.reltoastrelid
  LEFT JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = r.oid
UNION ALL
SELECT r.title, 'column ' || r.relname || '.' || a.attname,
  concat_ws(
    ', ', format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, a.attnotnull,
    'default ' || pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''),
    'generated ' || nullif(a.attgenerated::text, ''), a.attstorage,
    array_to_string(ARRAY(SELECT o FROM unnest(a.attoptions) AS o WHERE o NOT LIKE 'pg\_%'), ', ')
  )
FROM relations AS r
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'f')
UNION ALL
-- That a column is not null was said above; not every version has a constraint for it.
SELECT r.title, 'constraint ' || c.conname || ' of ' || r.relname, pg_get_constraintdef(c.oid, true)
FROM relations AS r
  JOIN pg_catalog.pg_constraint AS c ON c.conrelid = r.oid AND c.contype <> 'n'
UNION ALL
SELECT r.title, 'index ' || c.relname,
  pg_get_indexdef(i.indexrelid, 0, true) || CASE WHEN i.indisvalid THEN '' ELSE ', invalid' END
FROM relations AS r
  JOIN pg_catalog.pg_index AS i ON i.indrelid = r.oid
  JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
UNION ALL
SELECT r.title, 'trigger ' || g.tgname || ' of ' || r.relname,
  pg_get_triggerdef(g.oid, true) || ', ' || g.tgenabled::text
FROM relations AS r
  JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = r.oid AND NOT g.tgisinternal
UNION ALL
SELECT '', 'function ' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')',
  concat_ws(
    ', ', p.prokind, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), l.lanname,
    p.provolatile, p.proparallel, p.prosecdef, p.proisstrict, p.proleakproof,
    array_to_string(p.proconfig, ', '), p.prosrc, pg_get_function_sqlbody(p.oid)
  )
FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS s ON s.oid = p.pronamespace
  JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE s.nspname = {schema_text} AND p.proname LIKE 'pgqrs\_%';

-- name: ListMigrations
SELECT version, name FROM {schema}.pgqrs_schema_migrations ORDER BY version;

-- name: InsertMigration
INSERT INTO {schema}.pgqrs_schema_migrations (version, name, applied_at) VALUES ($1, $2, $3);

-- name: CreateMigrations
DO $$
BEGIN
  -- Not IF NOT EXISTS, which needs the right to make schemas also where there is none to make.
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = {schema_text}) THEN
    CREATE SCHEMA {schema};
  END IF;
END
$$;
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
SELECT 'slice', s.id, 'its mask, priority or read count is impossible'
FROM {schema}.pgqrs_slices AS s
WHERE s.mask = 0 OR s.priority NOT BETWEEN 0 AND 9 OR s.read_ct < 0
UNION ALL
SELECT 'archive row of batch', a.batch_id, 'it has no messages'
FROM {schema}.pgqrs_archive AS a WHERE a.mask = 0
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
SELECT 'partition', p.first_id, 'its tables are missing' FROM {schema}.pgqrs_partitions AS p
WHERE to_regclass(format('%I.%I', {schema_text}, 'pgqrs_batches_' || p.first_id)) IS NULL
  OR to_regclass(format('%I.%I', {schema_text}, 'pgqrs_archive_' || p.first_id)) IS NULL
UNION ALL
SELECT 'sequence', s.last_value, 'its next number is in use'
FROM {schema}.pgqrs_batch_ids AS s
WHERE s.last_value < (SELECT max(b.id) FROM {schema}.pgqrs_batches AS b)
UNION ALL
SELECT 'workflow', w.id, 'its queue is missing' FROM {schema}.pgqrs_workflows AS w
WHERE NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_queues AS q WHERE q.id = w.id)
UNION ALL
SELECT 'run', r.id, 'its workflow is missing' FROM {schema}.pgqrs_workflow_runs AS r
WHERE NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_workflows AS w WHERE w.id = r.queue_id)
UNION ALL
SELECT 'run', r.id, 'its status and the time of its end contradict each other'
FROM {schema}.pgqrs_workflow_runs AS r
WHERE r.status NOT BETWEEN 0 AND 6 OR (r.status IN (3, 4, 6)) <> (r.finished_at IS NOT NULL)
UNION ALL
SELECT 'run', r.id, 'it is not finished, and its message is gone'
FROM {schema}.pgqrs_workflow_runs AS r
WHERE r.finished_at IS NULL AND NOT EXISTS (
  SELECT 1 FROM {schema}.pgqrs_slices AS s
  WHERE s.queue_id = r.queue_id AND s.id BETWEEN r.id - r.id % 64 AND r.id - r.id % 64 + 63
    AND s.mask >> (r.id % 64)::integer & 1 = 1
) AND EXISTS (
  SELECT 1 FROM {schema}.pgqrs_queues AS q WHERE q.id = r.queue_id AND q.deleted_at IS NULL
)
UNION ALL
SELECT 'run', r.id, 'it is finished, and its message is still waiting'
FROM {schema}.pgqrs_workflow_runs AS r
WHERE r.finished_at IS NOT NULL AND EXISTS (
  SELECT 1 FROM {schema}.pgqrs_slices AS s
  WHERE s.queue_id = r.queue_id AND s.id BETWEEN r.id - r.id % 64 AND r.id - r.id % 64 + 63
    AND s.mask >> (r.id % 64)::integer & 1 = 1
)
UNION ALL
SELECT 'step', t.id, 'its run is missing' FROM {schema}.pgqrs_workflow_steps AS t
WHERE NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_workflow_runs AS r WHERE r.id = t.run_id)
UNION ALL
SELECT 'event', e.id, 'its run is missing' FROM {schema}.pgqrs_workflow_events AS e
WHERE NOT EXISTS (SELECT 1 FROM {schema}.pgqrs_workflow_runs AS r WHERE r.id = e.run_id);
