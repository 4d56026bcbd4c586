"""What the coordinator runs: rounds, secure exchange, run store. Never raw rows or single updates."""
