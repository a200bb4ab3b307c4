"""Who submits what at the same moment."""

from __future__ import annotations

from datetime import timedelta

from amocrm.sandbox.account.actions import plant
from tests.amocrm.upsert.deliveries import request_of
from tests.model.explore import Scenario
from tests.model.world import Submission, World

E1, E2 = "anna@onai.academy", "anna@mail.example"
P1, P2 = "+77771112233", "+77012223344"
PIPELINE, STAGE = 3177727, 32392159


def _submissions(*named: tuple[str, str]) -> list[Submission]:
    return [
        Submission(request_of(email, phone, reference=f"submission-{number}"))
        for number, (email, phone) in enumerate(named, start=1)
    ]


def _plant_contact(
    world: World, *, emails: list[str], phones: list[str], with_lead: bool = False
) -> None:
    long_ago = {"created_at": int((world.now - timedelta(days=1)).timestamp())}
    contacts = [{"name": "Анна", "emails": emails, "phones": phones, **long_ago}]
    lead = {"contact": 0, "pipeline_id": PIPELINE, "status_id": STAGE, **long_ago}
    leads = [lead] if with_lead else []
    plant(world.sandbox.account, {"contacts": contacts, "leads": leads})
    world.catch_up_index()


def twins(world: World) -> list[Submission]:
    """Two requests in the same instant: what used to make two leads."""
    return _submissions((E1, P1), (E1, P1))


def triplets(world: World) -> list[Submission]:
    """Three of them."""
    return _submissions((E1, P1), (E1, P1), (E1, P1))


def growing(world: World) -> list[Submission]:
    """The second one names the person by one more phone, the third only by that."""
    return _submissions((E1, P1), (E1, P2), ("", P2))


def named_apart(world: World) -> list[Submission]:
    """By e-mail, by phone, and by both: two people become one while leads are on their way."""
    return _submissions((E1, ""), ("", P1), (E1, P1))


def carried_by_a_contact(world: World) -> list[Submission]:
    """A contact in the CRM carries what neither submission says of the other."""
    _plant_contact(world, emails=[E1], phones=[P2])
    return _submissions((E1, P1), ("", P2))


def known_by_another_phone(world: World) -> list[Submission]:
    """The second one names a phone whose lead is in the CRM already."""
    _plant_contact(world, emails=[], phones=[P2], with_lead=True)
    return _submissions((E1, P1), (E1, P2))


TWINS = Scenario("twins", twins)
TRIPLETS = Scenario("triplets", triplets)
GROWING = Scenario("growing", growing, may_be_shown=True)
NAMED_APART = Scenario("named apart", named_apart, may_be_shown=True)
CARRIED = Scenario("carried by a contact", carried_by_a_contact, may_be_shown=True)
KNOWN_BY_PHONE = Scenario("known by another phone", known_by_another_phone, may_be_shown=True)
ALL = (TWINS, TRIPLETS, GROWING, NAMED_APART, CARRIED, KNOWN_BY_PHONE)
