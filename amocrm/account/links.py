"""Addresses of amoCRM's own pages, for people."""

from __future__ import annotations


def lead_url(base_url: str, lead_id: int) -> str:
    """The page of a lead in the account at ``base_url``."""
    return f"{base_url}/leads/detail/{lead_id}"


def contact_url(base_url: str, contact_id: int) -> str:
    """The page of a contact in the account at ``base_url``."""
    return f"{base_url}/contacts/detail/{contact_id}"
