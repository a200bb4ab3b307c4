"""What `make bench` runs: one table of ratios, every figure of it measured in that run.

Redis, the sandbox amoCRM, the web server and SQLite are real, on loopback and in a temporary
folder; nothing of them is left behind. The figures belong to the machine, the ratios less so.
"""
