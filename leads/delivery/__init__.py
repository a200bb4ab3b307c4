"""Bringing submissions to the CRM. :mod:`~leads.delivery.attempt.attempt` makes one try."""
