"""One lead with its notes and fields, under the same path as in amoCRM's web interface."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from amocrm.sandbox.account.model import Lead
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.pages.layout import chips
from amocrm.sandbox.sandbox import Sandbox

DETAIL = re.compile(r"/leads/detail/(\d+)/?")


def lead_page(sandbox: Sandbox, lead_id: int, texts: dict[str, str]) -> tuple[int, str]:
    """Status and HTML of the page; 404 if there is no such lead."""
    account = sandbox.account
    back = f'<header><a href="/">{texts["back"]}</a></header>'
    lead = account.leads.get(lead_id)
    if lead is None:
        return 404, f'{back}<div class="sheet"><p>{texts["no_lead"]}</p></div>'
    zone = ZoneInfo(sandbox.settings.timezone)
    deleted = f' <span class="bad">{texts["deleted"]}</span>' if lead.is_deleted else ""
    facts = [
        (texts["pipeline"], account.pipelines[lead.pipeline_id].name),
        (texts["stage"], account.stage_of(lead).name),
        (texts["created"], _when(lead.created_at, zone)),
        (texts["updated"], _when(lead.updated_at, zone)),
    ]
    return 200, (
        f'{back}<div class="sheet"><h1>{escape(lead.name)}{deleted}</h1>'
        f'<p class="soft">{texts["lead"]} #{lead.id}</p>{_table(facts)}'
        f"<h2>{texts['contacts']}</h2>{_contacts(account, lead, texts)}"
        f"<h2>{texts['tags']}</h2>{chips([tag.name for tag in lead.tags]) or texts['none']}"
        f"<h2>{texts['fields']}</h2>{_table(_fields(account, lead)) or texts['none']}"
        f"<h2>{texts['notes']}: {len(account.notes_of(lead.id))}</h2>"
        f"{_notes(account, lead, zone)}</div>"
    )


def _when(stamp: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(stamp, tz=zone).strftime("%d.%m.%Y %H:%M:%S")


def _table(rows: list[tuple[str, str]]) -> str:
    inside = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    return f"<dl>{inside}</dl>" if rows else ""


def _fields(account: Account, lead: Lead) -> list[tuple[str, str]]:
    return [
        (account.fields[field_id].name, ", ".join(one.value for one in values))
        for field_id, values in lead.values.items()
        if field_id in account.fields
    ]


def _contacts(account: Account, lead: Lead, texts: dict[str, str]) -> str:
    rows = []
    for place, contact_id in enumerate(lead.contact_ids):
        contact = account.contact(contact_id)
        if contact is None:
            continue
        reach = ", ".join([*account.values(contact, "EMAIL"), *account.values(contact, "PHONE")])
        main = f" ({texts['main']})" if place == 0 else ""
        rows.append((f"#{contact.id}{main}", f"{contact.name} — {reach}"))
    return _table(rows) or texts["none"]


def _notes(account: Account, lead: Lead, zone: ZoneInfo) -> str:
    return "".join(
        f'<article class="card"><p class="soft">#{note.id} · {_when(note.created_at, zone)} · '
        f'{escape(note.note_type)}</p><div class="note">'
        f"{escape(str(note.params.get('text', '')))}</div></article>"
        for note in reversed(account.notes_of(lead.id))
    )
