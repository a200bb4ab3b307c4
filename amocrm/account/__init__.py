"""What the account is like: its pipeline, stages and fields, its pages, whether it works again."""
