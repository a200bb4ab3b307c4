"""How the web server speaks to senders."""
