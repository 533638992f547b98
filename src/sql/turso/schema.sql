-- What Turso needs to be told in other words than SQLite.

-- name: CreateViewTrigger
-- Turso has no INSTEAD OF triggers, so nothing can be enqueued through the view. No other program can
-- write to its file anyway.
