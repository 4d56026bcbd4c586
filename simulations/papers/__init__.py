"""Simulated studies that the field quotes, each claim beside what we measure."""
