"""A client of the sandbox's control endpoint, for tests and demonstrations."""

from __future__ import annotations

from typing import Any

import requests

TIMEOUT = 10.0


class ControlError(Exception):
    """The sandbox refused a control request; the text is its sentence."""


class SandboxControl:
    """Look into a running sandbox and steer it. Every call raises :class:`ControlError`."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url.rstrip("/") + "/_sandbox"
        self._session = requests.Session()
        self._session.trust_env = False

    def close(self) -> None:
        """Drop the connection."""
        self._session.close()

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._session.request(method, self._base + path, json=body, timeout=TIMEOUT)
        found = answer.json()
        if answer.status_code != 200:
            raise ControlError(found["error"])
        return found

    def state(self) -> dict[str, Any]:
        """Contacts, leads, notes, people, counts: everything there is."""
        found: dict[str, Any] = self._call("GET", "/state")
        return found

    def requests(self) -> list[dict[str, Any]]:
        """Every API request since the last reset, oldest first."""
        found: list[dict[str, Any]] = self._call("GET", "/requests")["requests"]
        return found

    def reset(self) -> None:
        """Empty account, no faults, first settings, counts at zero."""
        self._call("POST", "/reset")

    def config(self, **changes: Any) -> dict[str, Any]:
        """Change settings (see :class:`amocrm.sandbox.settings.Settings`); all of them come back.

        Done once: ``lift_block=True``, ``drop_field="FBCLID"``, ``drop_stage=32392171``.
        """
        found: dict[str, Any] = self._call("POST", "/config", changes)
        return found

    def advance(self, seconds: float) -> None:
        """Push the sandbox's clock forward."""
        offset = self._call("GET", "/config")["clock_offset"]
        self.config(clock_offset=offset + seconds)

    def fault(self, action: str, **rule: Any) -> int:
        """Add a fault rule (see :class:`amocrm.sandbox.faults.Rule`); its id."""
        return int(self._call("POST", "/faults", {"action": action, **rule})["id"])

    def faults(self) -> list[dict[str, Any]]:
        """The rules in force, with ``seen`` and ``hits``."""
        found: list[dict[str, Any]] = self._call("GET", "/faults")["faults"]
        return found

    def hits(self, rule_id: int) -> int:
        """How often a rule fired."""
        return int(next(one["hits"] for one in self.faults() if one["id"] == rule_id))

    def clear_faults(self, rule_id: int | None = None) -> int:
        """Remove one rule or all; how many were removed."""
        path = "/faults" if rule_id is None else f"/faults/{rule_id}"
        return int(self._call("DELETE", path)["removed"])

    def apply_late(self) -> int:
        """Carry out at once what ``apply_late`` faults hold back; how many there were."""
        return int(self._call("POST", "/late")["applied"])

    def seed(
        self,
        *,
        contacts: list[dict[str, Any]] | None = None,
        leads: list[dict[str, Any]] | None = None,
    ) -> dict[str, list[int]]:
        """Plant contacts and leads; their ids (``account.actions.plant``)."""
        body = {"contacts": contacts or [], "leads": leads or []}
        found: dict[str, list[int]] = self._call("POST", "/seed", body)
        return found

    def act(self, do: str, **payload: Any) -> None:
        """What a manager does: ``delete_lead(lead_id)``, ``close_lead(lead_id[, status_id])``,
        ``move_lead(lead_id, status_id[, pipeline_id])``, ``reassign_lead(lead_id, contact_id)``,
        ``merge_contacts(into, from)``, ``edit_contact(contact_id[, name, emails, phones])``,
        ``delete_contact(contact_id)``.
        """
        self._call("POST", "/act", {"do": do, **payload})
