"""What `mmm_models` promises."""
