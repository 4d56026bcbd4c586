"""Tests of the way from an analyst's text to a plan, and from a plan to values."""
