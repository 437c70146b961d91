-- Made by `cargo xtask edge migrations` from the store's migration of the same name.

-- What lists of tasks show of a run's result, as JSON, so that they need not read the result.
ALTER TABLE runs ADD COLUMN digest TEXT;

INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (5, CAST(unixepoch('subsec') * 1000 AS INTEGER), 4);
