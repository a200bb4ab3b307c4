"""Logging in to the admin: who may try a password, how often, and what is said of it.

django-axes keeps the failures in the database and brings the commands that list and remove them.
Nothing here depends on Redis. ``/admin/login/`` is the only door that takes a password: API tokens
are looked up, not hashed.
"""
