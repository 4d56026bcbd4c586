"""What `mixroom` promises."""
