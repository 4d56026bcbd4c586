"""What `clients` promises."""
