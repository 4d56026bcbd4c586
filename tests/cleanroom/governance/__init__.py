"""Tests of the clean room's governance."""
