"""The process that opens sealed tables, runs one plan and lets only a release out."""
