-- Made by `cargo xtask edge migrations` from the store's migration of the same name.

-- The trace from which a task was created, as a W3C `traceparent` of version 00.
ALTER TABLE tasks ADD COLUMN traceparent TEXT;

INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (7, CAST(unixepoch('subsec') * 1000 AS INTEGER), 4);
