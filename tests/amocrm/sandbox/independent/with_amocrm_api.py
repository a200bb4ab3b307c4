"""The sandbox through ``amocrm-api`` (its package is called ``amocrm``, as ours is: so this runs
as a program of its own, out of sight of our code). Prints what it saw as JSON."""

# mypy: ignore-errors
from __future__ import annotations

import json
import sys

import jwt
from amocrm.v2 import Contact, Lead, interaction, tokens

url, page_size = sys.argv[1], 2

# The one thing changed: it can only speak to https://….amocrm.ru.
interaction.BaseInteraction._get_url = lambda self, path: f"{url}/api/v4/{path}"
storage = tokens.MemoryTokensStorage()
token = jwt.encode({"exp": 4_000_000_000}, "a key of nobody's, long enough for this", "HS256")
storage.save_tokens(token, "")
tokens.default_token_manager("id", "secret", "school", "https://example.com", storage=storage)

contacts = sorted(contact.name for contact in Contact.objects.all())
pages = [
    [row["name"] for row in page["contacts"]]
    for page in Contact.objects._interaction._all("contacts", limit=page_size)
]
found = [contact.name for contact in Contact.objects.filter(query="anna@example.com")]

lead = Lead(name="Made by amocrm-api", price=100)
lead.create()
lead.price = 250
lead.save()
lead.notes(text="A note by amocrm-api").save()

again = Lead.objects.get(lead.id)
sys.stdout.write(
    json.dumps(
        {
            "contacts": contacts,
            "pages": pages,
            "found": found,
            "lead_id": lead.id,
            "name": again.name,
            "price": again.price,
            "stage": again.status.name,
            "notes": [note.text for note in again.notes.objects.all()],
        }
    )
)
