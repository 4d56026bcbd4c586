"""Tests of cleanroom/replay."""
