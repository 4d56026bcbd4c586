"""The worker, called in this process."""
