"""The locks' page in the admin: what it shows, and what an operator chose on it."""
