"""From a silo file to a panel: reading, checking, weeks and gaps, every problem reported at once."""
