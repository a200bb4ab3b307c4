"""The sandbox through ``amocrm-api-wrapper``, as a program of its own. Prints JSON."""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys

from amocrm_api import AmoOAuthClient

client = AmoOAuthClient("a-token", "", sys.argv[1], "id", "secret", "https://example.com")

# The one thing changed: release 1.0.1 hands httpx's get() a body, which that never took.
get = client._session.get
client._session.get = lambda url, json=None, timeout=None: get(url, timeout=timeout)

contacts = [row["name"] for row in client.get_contacts()["_embedded"]["contacts"]]
pages = [
    [row["name"] for row in client.get_contacts(limit=2, page=page)["_embedded"]["contacts"]]
    for page in (1, 2)
]
beyond = client.get_contacts(limit=2, page=3)
found = [
    row["name"] for row in client.get_contacts(query="anna@example.com")["_embedded"]["contacts"]
]

made = client.create_leads([{"name": "Made by amocrm-api-wrapper", "price": 100}])
lead_id = made["_embedded"]["leads"][0]["id"]
client.update_leads([{"id": lead_id, "price": 250}])
client.create_entity_note(
    "leads", [{"note_type": "common", "params": {"text": "A note by the wrapper"}}], lead_id
)

lead = client.get_lead(lead_id)
notes = client.get_notes_by_entity_type_and_entity_id("leads", lead_id)["_embedded"]["notes"]
sys.stdout.write(
    json.dumps(
        {
            "contacts": sorted(contacts),
            "pages": pages,
            "beyond": beyond,
            "found": found,
            "lead_id": lead_id,
            "name": lead["name"],
            "price": lead["price"],
            "notes": [note["params"]["text"] for note in notes],
        }
    )
)
client.close()
