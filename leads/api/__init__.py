"""The landing pages' side: what they send, and what they are answered."""
