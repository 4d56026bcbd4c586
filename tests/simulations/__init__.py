"""What `simulations` promises."""
