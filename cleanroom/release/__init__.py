"""From each person's contributions to cells that may leave: thresholds, clipping, difference checks, noise."""
