-- What Turso needs to be told in other words than SQLite.

-- name: CreateViewTrigger
-- Turso has no INSTEAD OF triggers, so nothing can be enqueued through the view. No other program can
-- write to its file anyway.

-- name: DescribeSchema
-- The definitions of all objects under our names: what each belongs to, what it is, its text. Without
-- the trigger of the view, which a file has that SQLite has made.
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
WHERE (object.name LIKE 'pgqrs\_%' ESCAPE '\' OR object.tbl_name LIKE 'pgqrs\_%' ESCAPE '\')
  AND object.name <> 'pgqrs_messages_enqueue';
