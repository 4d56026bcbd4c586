"""`python -m mixroom` is `mixroom`."""

from mixroom.cli import main

main()
