"""What diagnostics promise: each finding appears in a panel made to have it, and not in one made without."""
