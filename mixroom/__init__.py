"""The front door: the `mixroom` command."""
