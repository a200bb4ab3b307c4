"""The account in memory: what it holds, and what its people do in it."""
