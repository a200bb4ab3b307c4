"""What the mirror holds: which contact carries which e-mail or phone."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from amocrm import conf
from amocrm.account.carried import carried_by
from amocrm.api.schemas import Contact
from amocrm.identity import IdentityKey
from amocrm.mirror.digests import Digests
from amocrm.models import MirrorEntry

# What was entered so lately is not entered again: in a storm of forms every read shows it anew.
LATELY = timedelta(minutes=1)
# An entry must be unseen for longer than that before a walk removes it: more than LATELY, and than
# the clocks differ where amoCRM does not tell its own.
SPARE = timedelta(hours=1)
_SQL_BATCH = 500

T = TypeVar("T")


def contacts_with(account: str, keys: Iterable[IdentityKey]) -> frozenset[int]:
    """Who carries any of these e-mails and phones, as far as the mirror knows."""
    return frozenset[int]().union(*carriers(account, keys).values())


def carriers(account: str, keys: Iterable[IdentityKey]) -> dict[IdentityKey, frozenset[int]]:
    """Who carries each of these e-mails and phones, as far as the mirror knows."""
    digests = Digests(conf.current())
    wanted = {digests.of(key): key for key in keys}
    found: dict[IdentityKey, set[int]] = {key: set() for key in wanted.values()}
    for some in _batches(sorted(wanted)):
        rows = MirrorEntry.objects.filter(account=account, digest__in=some)
        for digest, contact_id in rows.values_list("digest", "contact_id"):
            found[wanted[digest]].add(contact_id)
    return {key: frozenset(ids) for key, ids in found.items()}


def enter(settings: conf.AmoSettings, contacts: Iterable[Contact], *, seen_at: datetime) -> None:
    """Enter what these contacts carry. What they carried before stays: others may be entering them
    at the same time, from an older page."""
    digests = Digests(settings)
    seen = {
        (digests.of(key), contact.id)
        for contact in contacts
        for key in carried_by(contact, settings)
    }
    new = sorted(seen - _seen_lately(settings.account, seen, seen_at))  # in one order: no deadlocks
    MirrorEntry.objects.bulk_create(
        (
            MirrorEntry(
                account=settings.account, digest=digest, contact_id=contact_id, seen_at=seen_at
            )
            for digest, contact_id in new
        ),
        batch_size=_SQL_BATCH,
        update_conflicts=True,
        unique_fields=["account", "digest", "contact_id"],
        update_fields=["seen_at"],
    )


def known(account: str, contact_ids: Collection[int]) -> set[int]:
    """Which of these contacts have an entry."""
    rows = MirrorEntry.objects.filter(account=account, contact_id__in=contact_ids)
    return set(rows.values_list("contact_id", flat=True))


def count_contacts(account: str) -> int:
    """How many contacts there are entries of."""
    rows = MirrorEntry.objects.filter(account=account)
    return rows.values("contact_id").distinct().count()


def remove_unseen(account: str, *, since: datetime) -> int:
    """Remove what was not seen since then, less :data:`SPARE`; how many entries."""
    rows = MirrorEntry.objects.filter(account=account, seen_at__lt=since - SPARE)
    return rows.delete()[0]


def remove_all(account: str) -> None:
    """Leave nothing of an account."""
    MirrorEntry.objects.filter(account=account).delete()


def _seen_lately(
    account: str, entries: Collection[tuple[str, int]], seen_at: datetime
) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    for some in _batches(sorted({digest for digest, _ in entries})):
        rows = MirrorEntry.objects.filter(
            account=account, digest__in=some, seen_at__gte=seen_at - LATELY
        )
        found.update(rows.values_list("digest", "contact_id"))
    return found


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _SQL_BATCH):
        yield items[start : start + _SQL_BATCH]
