"""Tests of owners' documents and of plans under them."""
