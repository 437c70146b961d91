-- Made by `cargo xtask edge migrations` from the store's migration of the same name.

-- When a rotated key ends that goes on working for a while. Its own expiry stays, and is that of
-- the key that replaces it.
ALTER TABLE api_keys ADD COLUMN overlap_ends_at INTEGER;

INSERT INTO schema_versions (version, applied_at, readable_from) VALUES (6, CAST(unixepoch('subsec') * 1000 AS INTEGER), 4);
