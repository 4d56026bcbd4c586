"""Measurements against the limits the project promises, and against its peers, printed as ratios."""
