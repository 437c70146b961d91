-- The trace from which a task was created, as a W3C `traceparent` of version 00.
ALTER TABLE tasks ADD COLUMN traceparent TEXT;
