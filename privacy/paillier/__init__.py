"""Secure aggregation by Paillier encryption, with a key holder apart from the coordinator."""
