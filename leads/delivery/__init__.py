"""Bringing submissions to the CRM. :mod:`~leads.delivery.attempt` makes one attempt."""
