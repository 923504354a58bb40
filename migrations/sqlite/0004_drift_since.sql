-- When drift was first turned on: the age of the last whole sweep counts from here before the first one.
ALTER TABLE drift_sweep ADD COLUMN turned_on_at TEXT;
