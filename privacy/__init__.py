"""Differential privacy, accounting, secure aggregation, and every message that may leave a silo."""
