"""What operators decide about people: these two are one, these two are two, this is somebody else.

Each is one transaction that locks the people first, as deliveries do. Merging and parting raise
the versions of those concerned, so that a delivery which has looked before begins anew, and wait
for a standing claim: the lead that may be on its way must become somebody's first.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from amocrm.counters import Event, count
from amocrm.identity import IdentityKey
from amocrm.ledger import proposals
from amocrm.ledger.resolution import CreationPending, merge, standing_claim
from amocrm.ledger.rows import change, locked, move
from amocrm.ledger.state import PersonState, state_of
from amocrm.locks.names import lock_name
from amocrm.log_context import get_logger
from amocrm.models import MergeProposal, Person

logger = get_logger(__name__)

State = MergeProposal.State


class CannotPart(ValueError):
    """What was chosen cannot be taken off. ``code`` says why: ``not_theirs`` any more, it
    ``names_nobody`` (a contact alone), or there would be ``nothing_left`` to name the person."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def confirm(proposal_id: int, *, by: str, reason: str = "") -> bool:
    """The two are one person; False where that was so already.

    Raises :class:`~amocrm.ledger.CreationPending` while one of them may have a lead on its way.
    """
    with transaction.atomic():
        row, people = _locked_with_people(proposal_id)
        if row is None or row.state == State.CONFIRMED:
            return False
        if claimed := standing_claim(people):
            raise CreationPending(claimed.pk)
        _decide(row, State.CONFIRMED, by, reason)
        merge(people)
    count(Event.MERGED)
    return True


def refuse(proposal_id: int, *, by: str, reason: str = "") -> bool:
    """The two are two people; False where that was so already, or they are one by now."""
    with transaction.atomic():
        row, _ = _locked_with_people(proposal_id)
        if row is None or row.state != State.OPEN:
            return False
        _decide(row, State.REFUSED, by, reason)
    return True


def why_not(person: PersonState, keys: frozenset[IdentityKey]) -> str:
    """Why ``keys`` cannot be taken off, as the code of :class:`CannotPart`; empty if they can."""
    if not keys <= person.identities:
        return "not_theirs"
    if not keys & person.searchable:
        return "names_nobody"
    return "" if person.searchable - keys else "nothing_left"


def part(
    person_id: int, keys: Collection[IdentityKey], *, by: str = "", reason: str = ""
) -> PersonState:
    """Take ``keys`` off a person: they are another one from then on, whatever names both. The
    answer is that other person. The recorded lead stays where it is.

    Raises :class:`CannotPart`, and :class:`~amocrm.ledger.CreationPending` while the person may
    have a lead on its way.
    """
    with transaction.atomic():
        (person,) = locked({person_id})
        if person.creating_since:
            raise CreationPending(person.pk)
        now, taken = state_of(person), frozenset(keys)
        if code := why_not(now, taken):
            raise CannotPart(code)
        named = taken & now.searchable
        other = Person.objects.create(account=person.account, lock_name=lock_name(named))
        move(taken, giver=person, taker=other)
        proposals.keep_apart(person, other, by=by, reason=reason)
        change(person)
        parted = state_of(other)
    count(Event.PARTED)
    logger.info("✂️ [DEDUP] %s is another person than %s", parted.lock_name, person.lock_name)
    return parted


def _locked_with_people(proposal_id: int) -> tuple[MergeProposal | None, list[Person]]:
    """The row as it is once its people are locked; ``None`` where merging has ended it."""
    rows = MergeProposal.objects.filter(pk=proposal_id)
    pair = rows.values_list("older_id", "newer_id").first()
    people = locked(pair or ())
    return rows.first(), people


def _decide(row: MergeProposal, state: State, by: str, reason: str) -> None:
    row.state, row.decided_by, row.reason = state, by, reason
    row.decided_at = timezone.now()
    row.save(update_fields=["state", "decided_by", "reason", "decided_at"])
