"""The worker: its core in this process, its conversations in threads, and both in real enclaves."""
