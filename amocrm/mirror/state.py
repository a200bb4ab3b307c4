"""How far the mirror of an account may be relied upon: one row, changed by conditional writes.

Its times are of two clocks. What is compared with amoCRM's rows is by amoCRM's clock; when somebody
walked, and when the mirror lied, is by ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from amocrm import conf
from amocrm.counters import Event, count
from amocrm.log_context import get_logger
from amocrm.mirror import entries
from amocrm.mirror.digests import Digests
from amocrm.models import MirrorState

logger = get_logger(__name__)

COMPARISONS = 100
COMPARISONS_ON_LOOPBACK = 3
# Since somebody was last seen at it, as whoever walks is with every page.
WALK_AGAIN_AFTER = timedelta(minutes=30)
WALK_AFTER_LIE = timedelta(hours=1)


class Readiness(StrEnum):
    """How far the mirror may be relied upon."""

    OFF = "off"
    LEARNING = "learning"
    READY = "ready"
    DISTRUSTED = "distrusted"


@dataclass(frozen=True)
class Standing:
    """How the mirror stands, for people. ``lie`` is what it missed, in English and marked for
    translation, empty where it has not lied since the last walk; ``lied_about`` the contact."""

    readiness: Readiness
    contacts: int
    walked_at: datetime | None
    comparisons: int
    comparisons_needed: int
    lie: str
    lied_about: int | None


def readiness(settings: conf.AmoSettings) -> Readiness:
    """How far the mirror may be relied upon now."""
    return _readiness(settings, None if settings.burst == "off" else _row(settings))


def standing(settings: conf.AmoSettings) -> Standing:
    """How the mirror stands now."""
    row = _row(settings)
    found = row or MirrorState()
    return Standing(
        readiness=_readiness(settings, row),
        contacts=entries.count_contacts(settings.account) if row else 0,
        walked_at=found.walked_at,
        comparisons=found.comparisons,
        comparisons_needed=_comparisons_needed(settings),
        lie=found.lie,
        lied_about=found.lied_about,
    )


def known_until(settings: conf.AmoSettings) -> datetime | None:
    """Every change before that moment, by amoCRM's clock, is in the mirror; ``None`` where none can
    be relied upon: switched off, not walked yet, or it has lied."""
    row = None if settings.burst == "off" else _row(settings)
    return row.read_at if row and row.walked_at and not row.lied_at else None


def read_until(settings: conf.AmoSettings, moment: datetime) -> None:
    """The changes were read: all that was made before ``moment`` is entered. Only forward: of two
    who read at once the one who began later may end sooner."""
    _rows(settings).filter(read_at__lt=moment).update(read_at=moment)


def lost_track(settings: conf.AmoSettings, known: datetime) -> None:
    """There are too many changes since ``known`` to read: the mirror is not whole until it was
    walked again, unless somebody else has read on meanwhile."""
    if _rows(settings).filter(read_at=known).update(walked_at=None):
        logger.info("🪞 Too much has changed in amoCRM: the mirror waits for the next walk")


def count_comparison(settings: conf.AmoSettings) -> None:
    """The search has found nobody whom the mirror does not know."""
    whole = _rows(settings).filter(walked_at__isnull=False, lied_at=None)
    whole.update(comparisons=F("comparisons") + 1)


def distrust(account: str, why: str, *, contact_id: int | None = None) -> None:
    """The mirror has lied: nothing rests upon it until a walk that begins later is completed, and
    as many comparisons as for a new one.

    ``why`` is a sentence without names, in English and marked for translation; ``contact_id`` whom
    it missed. Said and counted once.
    """
    lied = MirrorState.objects.filter(account=account, lied_at=None).update(
        lied_at=timezone.now(), lie=why, lied_about=contact_id, comparisons=0
    )
    if lied:
        about = f": contact ID {contact_id}" if contact_id else ""
        logger.warning("🪞 The mirror of the contacts is wrong: %s%s", why, about)
        count(Event.MIRROR_DISTRUSTED)


# Walks -----------------------------------------------------------------------------------------


def needs_walk(settings: conf.AmoSettings) -> bool:
    """Whether somebody should walk all contacts now, before the night comes: there is no mirror, or
    it is not whole, or it has lied a while ago; and nobody is at it, or was lately."""
    row = MirrorState.objects.filter(account=settings.account).first()
    return _needs_walk(settings, row or MirrorState())


def take_walk(settings: conf.AmoSettings) -> bool:
    """Whether a walk is needed and the caller is the one to see to it: of several that ask together
    one gets a yes. Whoever then does not walk says so by :func:`leave_walk`."""
    if not needs_walk(settings):
        return False
    row, _ = MirrorState.objects.get_or_create(account=settings.account)
    as_seen = MirrorState.objects.filter(pk=row.pk, walking_at=row.walking_at)
    return _needs_walk(settings, row) and bool(as_seen.update(walking_at=timezone.now()))


def leave_walk(settings: conf.AmoSettings) -> None:
    """Nobody walks after all."""
    MirrorState.objects.filter(account=settings.account).update(walking_at=None)


def begin_walk(settings: conf.AmoSettings) -> None:
    """Somebody walks from now on. A mirror that was made with another key is emptied."""
    key = Digests(settings).key
    MirrorState.objects.get_or_create(account=settings.account)
    with transaction.atomic():
        row = MirrorState.objects.select_for_update().get(account=settings.account)
        if row.key != key:  # under the lock: of two walks that begin only one empties it
            entries.remove_all(settings.account)
            MirrorState(pk=row.pk, account=settings.account, key=key).save()
    still_walking(settings)


def still_walking(settings: conf.AmoSettings) -> None:
    """Somebody was seen at it."""
    _rows(settings).update(walking_at=timezone.now())


def complete_walk(
    settings: conf.AmoSettings, *, begun: datetime, began_at: datetime, read_at: datetime
) -> bool:
    """The walk that was ``begun`` then by our clock, and ``began_at`` by amoCRM's, has seen all
    contacts, and all changes before ``read_at`` were read; ``False`` where the mirror was begun
    anew meanwhile.

    Removes what two walks in a row have not seen: one may miss a contact, because a list moves up
    when something is deleted from it.
    """
    row = _row(settings)
    if row is None:
        return False
    if row.walk_began_at:
        entries.remove_unseen(settings.account, since=row.walk_began_at)
    with transaction.atomic():
        completed = _rows(settings).update(
            walked_at=timezone.now(),
            walk_began_at=began_at,
            # Also where that is back a little: what somebody may have read meanwhile is read again.
            read_at=read_at,
        )
        _rows(settings).filter(lied_at__lte=begun).update(lied_at=None, lie="", lied_about=None)
    return bool(completed)


def forget_account(account: str) -> None:
    """Forget all of an account that exists no longer (a sandbox that was restarted)."""
    with transaction.atomic():
        MirrorState.objects.filter(account=account).delete()
        entries.remove_all(account)


def _needs_walk(settings: conf.AmoSettings, row: MirrorState) -> bool:
    now = timezone.now()
    # What lies in the future was written by a clock that has been set back since.
    if row.walking_at and now - WALK_AGAIN_AFTER < row.walking_at <= now:
        return False
    if settings.burst == "off":
        return False
    if row.key != Digests(settings).key:
        return True
    return row.lied_at <= now - WALK_AFTER_LIE if row.lied_at else row.walked_at is None


def _rows(settings: conf.AmoSettings) -> QuerySet[MirrorState]:
    """The row, if it is of a mirror that is made with today's key."""
    return MirrorState.objects.filter(account=settings.account, key=Digests(settings).key)


def _row(settings: conf.AmoSettings) -> MirrorState | None:
    return _rows(settings).first()


def _readiness(settings: conf.AmoSettings, row: MirrorState | None) -> Readiness:
    if settings.burst == "off":
        return Readiness.OFF
    if row is None:
        return Readiness.LEARNING
    if row.lied_at:
        return Readiness.DISTRUSTED
    enough = row.comparisons >= _comparisons_needed(settings)
    return Readiness.READY if row.walked_at and enough else Readiness.LEARNING


def _comparisons_needed(settings: conf.AmoSettings) -> int:
    return COMPARISONS_ON_LOOPBACK if settings.is_local else COMPARISONS
