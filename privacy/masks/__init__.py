"""Secure aggregation by pairwise masks: the protocol, its derivations, both sides."""
