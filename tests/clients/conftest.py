"""Silo files on disk for every test of the client."""

from tests.small_federation import _written_world, generous_silo_files, silo_files  # noqa: F401
