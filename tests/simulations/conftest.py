"""Silo files on disk for every test of a whole federation."""

from tests.small_federation import _written_world, silo_files  # noqa: F401
