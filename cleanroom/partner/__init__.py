"""A partner's own side: what runs on its machine, and what leaves it."""
