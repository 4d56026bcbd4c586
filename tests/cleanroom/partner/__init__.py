"""Tests of what a partner runs on its own machine."""
