"""How many people an e-mail or phone names: one that names too many is nobody's.

Counted are the different phones with which forms have named an e-mail, and the different e-mails
with which they have named a phone; e-mails that differ as if mistyped, or have the same part before
the @, count once. What name came along counts for nothing: whoever sends a form chooses it. Counted
are also the contacts of the CRM that carry it and share nothing else. Above ``IDENTITY_MAX_PEOPLE``
the identity stops identifying, and those whom it alone had made one person are parted again.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import product

from django.db import transaction

from amocrm import conf
from amocrm.counters import Event, count
from amocrm.identity import IdentityKey
from amocrm.ledger import ignored
from amocrm.ledger.decisions import part
from amocrm.ledger.resolution import CreationPending
from amocrm.ledger.rows import locked, owners
from amocrm.ledger.state import state_of
from amocrm.log_context import get_logger
from amocrm.models import NamedTogether

logger = get_logger(__name__)

MOST_COUNTED = 200  # rows: twice what IDENTITY_MAX_PEOPLE can be
ALIKE = 0.85  # of SequenceMatcher: one or two letters of an e-mail


def count_naming(account: str, named: Iterable[IdentityKey]) -> frozenset[IdentityKey]:
    """Remember what one form has named together. The answer is what still identifies: what names
    too many is nobody's from now on.

    While the person whom it names may have a lead on its way, that waits for the next form that
    names something new with it.
    """
    named = frozenset(named)
    keys = ignored.identifying(account, named)
    for key in named - keys:  # somebody may have entered it in the moment it was listed
        ignored.mark(account, key, is_ignored=True)
    emails = sorted(key for key in keys if key.kind == "email")
    phones = sorted(key for key in keys if key.kind == "phone")
    too_many = set()
    for email, phone in product(emails, phones):
        _, is_new = NamedTogether.objects.get_or_create(
            account=account, email=email.value, phone=phone.value
        )
        if is_new:
            too_many |= {key for key in (email, phone) if _stops_identifying(account, key)}
    return keys - too_many


def is_a_crowd(carried: Iterable[frozenset[IdentityKey]], key: IdentityKey) -> bool:
    """Whether contacts that carry these are too many people to be named by ``key``."""
    people: list[set[IdentityKey]] = []
    for others in filter(None, ({*one} - {key} for one in carried)):
        met = [person for person in people if person & others]
        people = [person for person in people if person not in met]
        people.append(others.union(*met))
    return len(people) > conf.current().identity_max_people


def ignore_crowd(account: str, key: IdentityKey, *, people: int) -> None:
    """``key`` is carried by so many contacts that it identifies nobody from now on."""
    if ignored.ignore(account, key, people=people):
        _tell(key, people)


def _stops_identifying(account: str, key: IdentityKey) -> bool:
    named_with = _named_with(account, key)
    if len(named_with) <= conf.current().identity_max_people:
        return False
    try:
        with transaction.atomic():
            _part_whom_it_joined(account, key, named_with)
            is_new = ignored.ignore(account, key, people=len(named_with))
    except CreationPending:
        logger.info("🚷 [DEDUP] %s names too many; its person has a lead on its way", key.kind)
        return False
    if is_new:
        _tell(key, len(named_with))
    return True


def _tell(key: IdentityKey, people: int) -> None:
    logger.warning("🚷 [DEDUP] It names %s people, and nobody from now on: %s", people, key.value)
    count(Event.NAMES_TOO_MANY)


def _named_with(account: str, key: IdentityKey) -> list[set[IdentityKey]]:
    """The people that forms have named together with ``key``, the earliest first."""
    rows = NamedTogether.objects.filter(account=account, **{key.kind: key.value}).order_by("pk")
    if key.kind == "email":
        phones = rows.values_list("phone", flat=True)[:MOST_COUNTED]
        return [{IdentityKey("phone", phone)} for phone in phones]
    people: list[set[IdentityKey]] = []
    for email in rows.values_list("email", flat=True)[:MOST_COUNTED]:
        same = next((person for person in people if _are_alike(email, person)), None)
        if same is None:
            people.append(same := set())
        same.add(IdentityKey("email", email))
    return people


def _are_alike(email: str, person: set[IdentityKey]) -> bool:
    local = email.partition("@")[0]
    return any(
        local == known.value.partition("@")[0]
        or SequenceMatcher(None, email, known.value).ratio() >= ALIKE
        for known in person
    )


def _part_whom_it_joined(account: str, key: IdentityKey, people: list[set[IdentityKey]]) -> None:
    """Everybody whom only ``key`` had joined becomes a person again, with what other forms have
    named together with them. Where nobody would be left the first stays: the lead was made for
    them."""
    person_id = owners(account, [key]).get(key)
    if person_id is None:
        return
    (person,) = locked({person_id})
    theirs = state_of(person).searchable - {key}
    joined = [group & theirs for group in _joined_by_others(account, theirs, people)]
    if not theirs.difference(*joined):
        joined = joined[1:]
    for taken in filter(None, joined):
        part(person_id, taken, reason=key.value)


def _joined_by_others(
    account: str, theirs: frozenset[IdentityKey], people: list[set[IdentityKey]]
) -> list[set[IdentityKey]]:
    """``people`` grown by what forms without ``key`` have named together; who meets is one."""
    rows = NamedTogether.objects.filter(
        account=account,
        email__in=[key.value for key in theirs if key.kind == "email"],
        phone__in=[key.value for key in theirs if key.kind == "phone"],
    )
    grown = [set(person) for person in people]
    for email, phone in rows.values_list("email", "phone"):
        pair = {IdentityKey("email", email), IdentityKey("phone", phone)}
        met = [person for person in grown if person & pair]
        if met:
            met[0].update(pair, *met[1:])
            grown = [person for person in grown if person not in met[1:]]
    return grown
