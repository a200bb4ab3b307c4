"""Watching and clearing the locks."""
