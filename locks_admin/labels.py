"""What results, events, counters and columns are called on the page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from amocrm.locks import history
from amocrm.locks.clearing import ClearResult
from locks_admin.monitor.lock_status import State

STATE_HELP = {
    State.LIVE: _("its delivery is running"),
    State.OVERDUE: _("its delivery is running for longer than LOCK_TTL"),
    State.ORPHAN: _("whoever took it does not deliver this submission any more"),
    State.UNKNOWN: _("it was not taken by this service"),
}
# What became of ``count`` locks that were to be cleared.
CLEAR_RESULTS = {
    ClearResult.CLEARED: ngettext_lazy(
        "Cleared %(count)d lock.", "Cleared %(count)d locks.", "count"
    ),
    ClearResult.UNKNOWN: ngettext_lazy(
        "Redis went silent: whether %(count)d lock was cleared is not known. Look again.",
        "Redis went silent: whether %(count)d locks were cleared is not known. Look again.",
        "count",
    ),
    ClearResult.NOT_A_LOCK: ngettext_lazy(
        "%(count)d key holds no lock and was left: remove it with redis-cli.",
        "%(count)d keys hold no lock and were left: remove them with redis-cli.",
        "count",
    ),
    ClearResult.CHANGED: ngettext_lazy(
        "%(count)d lock changed hands meanwhile and was left.",
        "%(count)d locks changed hands meanwhile and were left.",
        "count",
    ),
    ClearResult.MISSING: ngettext_lazy(
        "%(count)d lock was gone already.", "%(count)d locks were gone already.", "count"
    ),
}
EVENT_NAMES = {
    history.Kind.ACQUIRED: _("acquired"),
    history.Kind.BUSY: _("busy"),
    history.Kind.RELEASED: _("released"),
    history.Kind.LOST: _("lost"),
    history.Kind.EXPIRED: _("expired"),
    history.Kind.CLEARED: _("cleared"),
}
COUNTER_NAMES = {
    "lock_busy": _("lock busy"),
    "lock_lost": _("lock lost"),
    "lock_cleared": _("lock cleared"),
    "claim_lost": _("person changed meanwhile"),
    "lease_lost": _("delivery passed on"),
    "form_refused": _("form refused"),
    "quarantined": _("form quarantined"),
    "adopted": _("lead adopted"),
    "released": _("claim released"),
    "united": _("people united"),
    "two_contacts": _("two contacts"),
    "duplicate_found": _("duplicate found"),
    "duplicate_closed": _("duplicate closed"),
    "merge_proposed": _("may be one person"),
    "parted": _("parted"),
    "not_attached": _("not attached, gathered enough"),
    "names_too_many": _("names too many"),
    "mirror_distrusted": _("mirror distrusted"),
    "lead_left": _("lead left alone"),
    "stage_missing": _("stage missing"),
    "account_paused": _("amoCRM paused"),
    "rate_limited": _("slowed down by amoCRM"),
    "login_failed": _("login failed"),
    "login_locked": _("login locked"),
}
COLUMNS = (
    ("person", _("Person")),
    ("state", _("State")),
    ("holder", _("Holder")),
    ("held", _("Held")),
    ("left", _("Time left")),
    ("waiting", _("Waiting")),
)
