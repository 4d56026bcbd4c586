"""Programs for enclaves that tests start: hostile ones, and one that does as it is told."""
