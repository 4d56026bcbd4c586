"""The specification of every package, mirroring the folders."""
