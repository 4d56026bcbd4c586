"""What `server` promises."""
