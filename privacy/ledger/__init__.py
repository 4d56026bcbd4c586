"""A silo's lifetime charges on its own disk: hash-chained, witnessed elsewhere, priced."""
