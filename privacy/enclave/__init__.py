"""A trusted execution environment's interface, and an emulation of one that says so in every document it signs."""
