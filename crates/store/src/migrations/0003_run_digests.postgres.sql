-- What lists of tasks show of a run's result, as JSON, so that they need not read the result.
ALTER TABLE runs ADD COLUMN digest TEXT COLLATE "C";
