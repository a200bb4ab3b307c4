"""The home page: pipelines as boards, so that one sees one lead per person."""

from __future__ import annotations

from html import escape

from amocrm.sandbox.account.model import Lead, Pipeline, Stage
from amocrm.sandbox.account.persons import people
from amocrm.sandbox.account.store import Account
from amocrm.sandbox.api.request import Request
from amocrm.sandbox.api.responses import Answer
from amocrm.sandbox.pages.layout import chips, framed
from amocrm.sandbox.pages.lead import DETAIL, lead_page
from amocrm.sandbox.pages.texts import texts_for
from amocrm.sandbox.sandbox import Sandbox

SHOWN_CARDS = 100


def page(sandbox: Sandbox, request: Request) -> Answer | None:
    """The board, the page of one lead, or ``None`` for any other path."""
    if request.method not in ("GET", "HEAD"):
        return None
    detail = DETAIL.fullmatch(request.path)
    if detail is None and request.path != "/":
        return None
    language, texts = texts_for(request.headers.get("accept-language", ""))
    with sandbox.account.lock:
        if detail:
            status, main = lead_page(sandbox, int(detail[1]), texts)
        else:
            status, main = 200, _board(sandbox, texts)
    return framed(status, language=language, title=texts["title"], main=main)


def _board(sandbox: Sandbox, texts: dict[str, str]) -> str:
    account = sandbox.account
    everybody = people(account, ignored=sandbox.settings.ignored_identities)
    twice = {lead.id for person in everybody for lead in person.duplicates}
    with_two = sum(bool(person.duplicates) for person in everybody)
    living = [lead for lead in account.leads.values() if not lead.is_deleted]
    mood = "bad" if with_two else "good"
    parts = [
        f"<header><h1>{texts['title']}</h1>",
        '<p class="counter">',
        f"<span>{texts['people']}: <b>{len(everybody)}</b></span>",
        f"<span>{texts['active']}: <b>{sum(lead.is_active for lead in living)}</b></span>",
        f'<span class="{mood}">{texts["twice"]}: <b>{with_two}</b> ({texts["must_be_0"]})</span>',
        f'</p><p class="soft">{texts["hint"]}</p>',
    ]
    if not living:
        parts.append(f"<p>{texts['empty']}</p>")
    parts.append("</header>")
    for pipeline in account.pipelines.values():
        here = [lead for lead in living if lead.pipeline_id == pipeline.id]
        if here or pipeline.is_main:
            parts.append(_pipeline(account, pipeline, here, twice, texts))
    return "".join(parts)


def _pipeline(
    account: Account, pipeline: Pipeline, leads: list[Lead], twice: set[int], texts: dict[str, str]
) -> str:
    columns = "".join(
        _stage(account, stage, [one for one in leads if one.status_id == stage.id], twice, texts)
        for stage in pipeline.stages
    )
    return f'<h2 class="pipeline">{escape(pipeline.name)}</h2><div class="board">{columns}</div>'


def _stage(
    account: Account, stage: Stage, leads: list[Lead], twice: set[int], texts: dict[str, str]
) -> str:
    newest = sorted(leads, key=lambda one: (one.updated_at, one.id), reverse=True)
    cards = "".join(
        _card(account, one, texts, twice=one.id in twice) for one in newest[:SHOWN_CARDS]
    )
    hidden = len(newest) - SHOWN_CARDS
    more = f'<p class="soft">… {texts["more"]} {hidden}</p>' if hidden > 0 else ""
    bare = "" if leads else " bare"
    return (
        f'<section class="stage{bare}"><h2 style="--mark:{escape(stage.color)}">'
        f'<span>{escape(stage.name)}</span><span class="soft">{len(leads)}</span></h2>'
        f"{cards}{more}</section>"
    )


def _card(account: Account, lead: Lead, texts: dict[str, str], *, twice: bool) -> str:
    rows = []
    for contact_id in lead.contact_ids:
        contact = account.contact(contact_id)
        if contact is None:
            continue
        reach = [*account.values(contact, "EMAIL"), *account.values(contact, "PHONE")]
        rows.append(
            f'<p>{escape(contact.name)}<br><span class="soft">'
            f"{'<br>'.join(escape(one) for one in reach)}</span></p>"
        )
    who = "".join(rows) or f'<p class="soft">{texts["no_contact"]}</p>'
    warning = f'<p class="bad">{texts["duplicate"]}</p>' if twice else ""
    notes = f"{texts['notes'].lower()}: {len(account.notes_of(lead.id))}"
    return (
        f'<article class="card{" twice" if twice else ""}">'
        f'<a href="/leads/detail/{lead.id}">{escape(lead.name)}</a>{warning}{who}'
        f"{chips([tag.name for tag in lead.tags])}"
        f'<p class="soft">#{lead.id} · {notes}</p></article>'
    )
