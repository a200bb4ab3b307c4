"""People who may be one: what only an operator decides.

Two people who are *established* (a recorded lead, or a contact in the CRM) never become one by
themselves, because one anonymous form is no proof. They are proposed to operators, who make them
one or say that they are two. Until they are one, whatever names both leaves them apart.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q, QuerySet
from django.utils import timezone

from amocrm.log_context import get_logger
from amocrm.models import MergeProposal, Person

logger = get_logger(__name__)

State = MergeProposal.State


def apart(people: Collection[Person]) -> dict[frozenset[int], State]:
    """The pairs among ``people`` that may not become one by themselves, and why: it is open
    whether they are one, or refused."""
    ids = [person.pk for person in people]
    rows = MergeProposal.objects.exclude(state=State.CONFIRMED)
    pairs = rows.filter(older__in=ids, newer__in=ids)
    return {
        frozenset((older, newer)): State(state)
        for older, newer, state in pairs.values_list("older_id", "newer_id", "state")
    }


def partners(person_id: int) -> list[int]:
    """Who may be the same person as this one, as far as nobody has decided yet."""
    return _partners(_of(person_id).filter(state=State.OPEN), person_id)


def kept_apart(person_id: int) -> list[int]:
    """Everybody who may not become one with this person by themselves, decided or not."""
    return _partners(_of(person_id).exclude(state=State.CONFIRMED), person_id)


def undecided(account: str) -> int:
    """How many pairs of people wait for a decision."""
    return MergeProposal.objects.filter(state=State.OPEN, older__account=account).count()


def propose(one: Person, other: Person) -> bool:
    """Let operators decide about these two, in the caller's transaction; whether that is new."""
    older, newer = sorted((one, other), key=lambda person: person.pk)
    _, is_new = MergeProposal.objects.get_or_create(older=older, newer=newer)
    if is_new:
        logger.warning(
            "🪞 [DEDUP] Two people may be one, to be decided by an operator: %s and %s",
            older.lock_name,
            newer.lock_name,
        )
    return is_new


def keep_apart(one: Person, other: Person, *, by: str = "", reason: str = "") -> None:
    """These two are two people, in the caller's transaction."""
    older, newer = sorted((one, other), key=lambda person: person.pk)
    MergeProposal.objects.update_or_create(
        older=older,
        newer=newer,
        defaults={
            "state": State.REFUSED,
            "decided_by": by,
            "decided_at": timezone.now(),
            "reason": reason,
        },
    )


def hand_over(giver: Person, taker: Person) -> None:
    """What is said of one person is said of the other, into whom they merge, in the caller's
    transaction. Of two rows about the same pair the refusal counts."""
    for row in _of(giver.pk).exclude(state=State.CONFIRMED):
        partner = row.newer_id if row.older_id == giver.pk else row.older_id
        older, newer = sorted((partner, taker.pk))
        same = MergeProposal.objects.filter(older=older, newer=newer)
        if older != newer and not same.exists():
            row.older_id, row.newer_id = older, newer
            row.save(update_fields=["older", "newer"])
            continue
        if row.state == State.REFUSED:
            same.update(
                state=row.state,
                decided_by=row.decided_by,
                decided_at=row.decided_at,
                reason=row.reason,
            )
        row.delete()


def _partners(rows: QuerySet[MergeProposal], person_id: int) -> list[int]:
    pairs = rows.values_list("older_id", "newer_id")
    return sorted({one for pair in pairs for one in pair} - {person_id})


def _of(person_id: int) -> QuerySet[MergeProposal]:
    return MergeProposal.objects.filter(Q(older=person_id) | Q(newer=person_id))
