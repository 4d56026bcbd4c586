"""Analysts' SQL mapped into a closed, typed plan; whatever does not map is refused with every reason."""
