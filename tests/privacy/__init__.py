"""What `privacy` promises."""
