"""Who submits what at the same moment."""

from __future__ import annotations

from datetime import timedelta

from amocrm import models
from amocrm.counters import Event
from amocrm.identity import IdentityKey
from amocrm.sandbox.account.actions import plant
from tests.amocrm.upsert.deliveries import request_of
from tests.model.explore import Scenario
from tests.model.world import Batch, Happening, InOrder, Parting, Submission, World

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


def two_customers(world: World) -> list[Submission]:
    """The e-mail of one customer with the phone of another, and only the latter has an active
    lead."""
    _plant_contact(world, emails=[E1], phones=[])
    _plant_contact(world, emails=[], phones=[P1], with_lead=True)
    return _submissions((E1, P1), (E1, P1))


def crowded(world: World) -> list[Submission]:
    """More phones than a person gathers."""
    return _submissions((E1, P1), (E1, P2))


def names_too_many(world: World) -> list[Submission]:
    """Somebody sends an e-mail with the phones of others, of whom one comes, too."""
    return _submissions((E1, P1), (E1, P2), (E2, P2))


def parted(world: World) -> list[Submission | Parting]:
    """An operator says that the phone is somebody else's, while it is being named."""
    phone, email = IdentityKey("phone", P1), IdentityKey("email", E1)
    return [*_submissions((E1, P1), ("", P1)), Parting(phone, email)]


def together(world: World) -> list[Batch | Submission]:
    """Two people in a batch, and one of them comes by another worker as well."""
    anna, boris, again = _submissions((E1, P1), (E2, P2), (E1, P1))
    return [Batch([anna, boris]), again]


def two_batches(world: World) -> list[Batch]:
    """The same two people in two batches, in the other order."""
    anna, boris, boris_again, anna_again = _submissions((E1, P1), (E2, P2), (E2, P2), (E1, P1))
    return [Batch([anna, boris]), Batch([boris_again, anna_again])]


def met_in_a_batch(world: World) -> list[Batch | Submission]:
    """Two who are one person, as a third submission knows, in one batch."""
    by_email, by_phone, by_both = _submissions((E1, ""), ("", P1), (E1, P1))
    return [Batch([by_email, by_phone]), by_both]


def known_since_then(world: World) -> list[Batch | InOrder]:
    """A manager enters somebody in the CRM who then sends a form, while batches are made."""
    carla = ("carla@onai.academy", "+77015556677")
    first, second = _submissions((E1, P1), carla)

    def enters() -> None:
        contacts = [{"name": "Карла", "emails": [carla[0]], "phones": [carla[1]]}]
        lead = {"contact": 0, "pipeline_id": PIPELINE, "status_id": STAGE}
        plant(world.sandbox.account, {"contacts": contacts, "leads": [lead]})

    return [Batch([first]), InOrder([Happening(enters), Batch([second])])]


def lied_to(world: World) -> list[InOrder]:
    """Two are in the CRM whom the lists do not show. One comes alone first, as everybody does while
    the mirror earns its trust."""
    hidden = {"updated_at": 1, "listed": False}
    world.sandbox.configure({"list_lag": 10**9})
    people = ((E1, P1), (E2, P2))
    contacts = [{"name": "Анна", "emails": [e], "phones": [p], **hidden} for e, p in people]
    leads = [{"contact": n, "pipeline_id": PIPELINE, "status_id": STAGE} for n in range(2)]
    plant(world.sandbox.account, {"contacts": contacts, "leads": leads})
    world.catch_up_index()
    alone, boris, carla = _submissions(*people, ("carla@onai.academy", "+77015556677"))
    return [InOrder([alone, Batch([boris, carla])])]


def _nobody_has_two_phones(world: World) -> str:
    crowds = [
        sorted(found)
        for contact in world.sandbox.account.contacts.values()
        if len(found := world.sandbox.account.values(contact, "PHONE")) > 1
    ]
    return f"contacts have gathered {crowds}" if crowds else ""


def _the_customers_are_two(world: World) -> str:
    return "the two customers have become one" if _are_one() else ""


def _the_parted_are_two(world: World) -> str:
    was_parted = models.EventCount.objects.filter(event=Event.PARTED).exists()
    return "who was parted is one again" if was_parted and _are_one() else ""


def _are_one() -> bool:
    rows = models.Identity.objects.filter(value__in=(E1, P1))
    return rows.values("person").distinct().count() == 1


TWINS = Scenario("twins", twins)
TRIPLETS = Scenario("triplets", triplets)
GROWING = Scenario("growing", growing, may_be_shown=True)
NAMED_APART = Scenario("named apart", named_apart, may_be_shown=True)
CARRIED = Scenario("carried by a contact", carried_by_a_contact, may_be_shown=True)
KNOWN_BY_PHONE = Scenario("known by another phone", known_by_another_phone, may_be_shown=True)
TWO_CUSTOMERS = Scenario(
    "two customers", two_customers, most_made=0, may_be_shown=True, check=_the_customers_are_two
)
CROWDED = Scenario(
    "crowded", crowded, settings={"PERSON_MAX_IDENTITIES": 1}, check=_nobody_has_two_phones
)
NAMES_TOO_MANY = Scenario(
    "names too many", names_too_many, settings={"IDENTITY_MAX_PEOPLE": 1}, people=2
)
PARTED = Scenario("parted", parted, may_be_shown=True, check=_the_parted_are_two)
BURST = {"BURST": "auto"}
TOGETHER = Scenario("together", together, people=2, settings=BURST)
TWO_BATCHES = Scenario("two batches", two_batches, people=2, settings=BURST)
MET_IN_A_BATCH = Scenario("met in a batch", met_in_a_batch, may_be_shown=True, settings=BURST)
KNOWN_SINCE_THEN = Scenario("known since then", known_since_then, people=2, settings=BURST)
# Of one run alone: where a list shows nothing of what was made, a lost answer is never found.
LIED_TO = Scenario("lied to", lied_to, people=3, settings=BURST)
ALL = (
    TOGETHER,
    TWO_BATCHES,
    MET_IN_A_BATCH,
    KNOWN_SINCE_THEN,
    TWINS,
    TRIPLETS,
    GROWING,
    NAMED_APART,
    CARRIED,
    KNOWN_BY_PHONE,
    TWO_CUSTOMERS,
    CROWDED,
    NAMES_TOO_MANY,
    PARTED,
)
