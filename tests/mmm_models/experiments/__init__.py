"""Tests of mmm_models/experiments."""
