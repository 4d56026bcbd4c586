"""Which weeks a model may learn from, and which judge it."""
