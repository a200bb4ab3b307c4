"""What Django's error pages of ``DEBUG`` show, and to whom."""
