-- When a rotated key ends that goes on working for a while. Its own expiry stays, and is that of
-- the key that replaces it.
ALTER TABLE api_keys ADD COLUMN overlap_ends_at BIGINT;
