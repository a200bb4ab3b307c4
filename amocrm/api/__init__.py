"""What is asked of amoCRM over HTTP, and how it is sent: paused, limited, with a deadline."""
