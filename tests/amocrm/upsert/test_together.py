"""Deliveries that share their requests, against the real sandbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import pytest

from amocrm import conf
from amocrm.contract import LeadRequest, LeadResult
from amocrm.models import Person
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from amocrm.upsert.together import side_by_side
from tests.amocrm.upsert.deliveries import Remembered, request_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def people(count: int, first: int = 0) -> list[LeadRequest]:
    """Forms of so many people whom nobody knows."""
    return [
        request_of(f"person{number}@onai.academy", f"+7701{number:07d}")
        for number in range(first, first + count)
    ]


def delivered_together(
    requests: Sequence[LeadRequest], memories: Sequence[Remembered] | None = None
) -> list[LeadResult | Exception]:
    memories = memories or [Remembered() for _ in requests]
    with side_by_side(conf.current()) as together:
        jobs = [
            partial(upsert_lead, request, memory, together=together)
            for request, memory in zip(requests, memories, strict=True)
        ]
        return together.run(jobs)


def asked(sandbox: RunningSandbox) -> Counter[str]:
    """The requests for people, without those about the account."""
    counts = Counter(sandbox.control.state()["requests"]["counts"])
    return Counter(
        {
            what: times
            for what, times in counts.items()
            if not any(one in what for one in ("account", "pipelines", "custom_fields"))
        }
    )


def test_fifty_new_people_are_one_create_and_one_request_for_notes(
    sandbox: RunningSandbox,
) -> None:
    results = delivered_together(people(50))

    assert [getattr(one, "action", one) for one in results] == ["created"] * 50
    state = sandbox.control.state()
    assert len(state["contacts"]) == len(state["leads"]) == len(state["notes"]) == 50
    assert state["people"]["with_two_active_leads"] == 0
    assert Person.objects.filter(creating_since=None, lead_id__isnull=False).count() == 50
    print(asked(sandbox))
    assert sum(asked(sandbox).values()) <= 3
