"""The engine that plans run on."""
