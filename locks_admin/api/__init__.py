"""The locks as JSON."""
