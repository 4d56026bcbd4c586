"""Experiments beside the model: what they measured, how it is read, placed in a panel and compared."""
