"""The partner-facing clean room. Empty until its service is built; see README.md beside this file."""
