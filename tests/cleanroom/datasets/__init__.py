"""Tests of tables on their way."""
