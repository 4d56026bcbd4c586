"""Tests of an owner's key broker."""
