"""Tables on their way: checked and sealed by a partner, kept by the service, opened by the worker."""
