"""Which weeks may be learnt from."""
