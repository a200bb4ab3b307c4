"""How many people an e-mail or phone names: one that names too many is nobody's.

Counted are the different e-mails with which forms have named a phone, and the different phones
with which they have named an e-mail; those that came with one name count once, unless it is too
short to say anything. Above ``IDENTITY_MAX_PEOPLE`` the identity stops identifying, and those
whom it alone had made one person are parted again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import product

from django.db import transaction

from amocrm import conf
from amocrm.counters import Event, count
from amocrm.identity import IdentityKey
from amocrm.ledger import ignored
from amocrm.ledger.decisions import part
from amocrm.ledger.resolution import CreationPending
from amocrm.ledger.rows import owners
from amocrm.ledger.state import read
from amocrm.log_context import get_logger
from amocrm.models import NamedTogether

logger = get_logger(__name__)

LEAST_LETTERS = 3  # of a name that tells people apart


def count_naming(account: str, named: Iterable[IdentityKey], name: str) -> frozenset[IdentityKey]:
    """Remember what one form has named together. The answer is what still identifies: what names
    too many is nobody's from now on.

    While the person whom it names may have a lead on its way, that waits for the next form.
    """
    keys = ignored.identifying(account, frozenset(named))
    emails = sorted(key for key in keys if key.kind == "email")
    phones = sorted(key for key in keys if key.kind == "phone")
    too_many = set()
    for email, phone in product(emails, phones):
        _, is_new = NamedTogether.objects.get_or_create(
            account=account, email=email.value, phone=phone.value, defaults={"name": name[:255]}
        )
        if is_new:
            too_many |= {key for key in (email, phone) if _stops_identifying(account, key)}
    return keys - too_many


def _stops_identifying(account: str, key: IdentityKey) -> bool:
    named_with = list(_rows(account, key))
    people = _together(named_with)
    if len(people) <= conf.current().identity_max_people:
        return False
    try:
        with transaction.atomic():
            _part_whom_it_joined(account, key, people)
            is_new = ignored.ignore(account, key, people=len(people))
    except CreationPending:
        logger.info("🚷 [DEDUP] %s names too many; its person has a lead on its way", key.kind)
        return False
    if is_new:
        logger.warning(
            "🚷 [DEDUP] It names %s people, and nobody from now on: %s", len(people), key.value
        )
        count(Event.NAMES_TOO_MANY)
    return True


def _rows(account: str, key: IdentityKey) -> Iterator[tuple[IdentityKey, str]]:
    """What was named together with ``key``, and the name on the form; the earliest first."""
    rows = NamedTogether.objects.filter(account=account, **{key.kind: key.value}).order_by("pk")
    for email, phone, name in rows.values_list("email", "phone", "name"):
        other = IdentityKey("phone", phone) if key.kind == "email" else IdentityKey("email", email)
        yield other, name


def _together(named_with: Iterable[tuple[IdentityKey, str]]) -> list[set[IdentityKey]]:
    """Those that came with one name are one person; the earliest first."""
    people: dict[object, set[IdentityKey]] = defaultdict(set)
    for key, name in named_with:
        said = " ".join(name.casefold().split())
        people[said if len(said) >= LEAST_LETTERS else key].add(key)
    return list(people.values())


def _part_whom_it_joined(account: str, key: IdentityKey, people: list[set[IdentityKey]]) -> None:
    """Everybody but the first, who may have the lead that was made for all of them, becomes a
    person again, with what other forms have named together with them."""
    person_id = owners(account, [key]).get(key)
    if person_id is None:
        return
    theirs = read(person_id).searchable - {key}
    _, *others = _joined_by_others(account, theirs, people)
    for other in others:
        if taken := other & theirs:
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
