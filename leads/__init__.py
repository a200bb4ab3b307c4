"""Intake of landing-form submissions and their delivery."""
