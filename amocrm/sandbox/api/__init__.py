"""API v4 as amoCRM answers it, one module for each kind of thing."""
