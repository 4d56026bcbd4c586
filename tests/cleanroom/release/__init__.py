"""Tests of cleanroom/release."""
