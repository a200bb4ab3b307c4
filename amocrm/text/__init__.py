"""What may be shown, stored and logged of a text. Needs neither Django nor its settings."""
