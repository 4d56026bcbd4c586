"""The HTTP service: routes that check who calls, hand over to governance, vault and query desk, and reply."""
