"""At an owner's own place: keeps the data keys of its tables, and releases them to attested workers only."""
