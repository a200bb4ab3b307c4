"""The bodies of ``payloads.py`` and ``status.py`` as the OpenAPI document describes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from amocrm.counters import Event
from amocrm.locks.history import Kind
from amocrm.mirror import Readiness
from leads.api.error_schema import Error, No, Yes
from locks_admin.monitor.lock_status import State

Described = serializers.Serializer[Any]


class System(Described):
    """Redis and the locks."""

    redis_connected = serializers.BooleanField()
    redis_available = serializers.BooleanField(help_text="It also takes writes.")
    locks_enabled = serializers.BooleanField()
    active_locks = serializers.IntegerField(min_value=0)


class Paused(Described):
    """Why and until when nothing is delivered."""

    kind = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True, help_text="The next probe.")
    reason = serializers.CharField(required=False, help_text="amoCRM's words, for staff.")


class Deliveries(Described):
    """What waits to be delivered."""

    due = serializers.IntegerField(
        min_value=0, help_text="Should be tried now, and nobody is at it."
    )
    failed = serializers.IntegerField(min_value=0, help_text="Need a person.")
    oldest_due_seconds = serializers.IntegerField(allow_null=True)
    undelivered = serializers.IntegerField(
        min_value=0, help_text="Accepted more than 30 s ago and not delivered."
    )
    oldest_undelivered_seconds = serializers.IntegerField(allow_null=True)
    burst = serializers.ChoiceField(
        [str(one) for one in Readiness],
        help_text="Whether leads of many people at once are sent together.",
    )
    paused = Paused(allow_null=True)
    undelivered_reason = serializers.CharField(
        required=False, allow_null=True, help_text="The most frequent reason, for staff."
    )


class RequestsPerSecond(Described):
    """How many requests amoCRM gets."""

    now = serializers.FloatField(allow_null=True, help_text="For staff.")
    limit = serializers.FloatField()


class Status(Described):
    """How things stand. From ``events`` on for staff with ``view_lock`` and for monitoring."""

    success = Yes()
    system = System()
    deliveries = Deliveries()
    requests_per_second = RequestsPerSecond(allow_null=True)
    message = serializers.CharField(help_text="The worst of it in a sentence.")
    timestamp = serializers.DateTimeField()
    events = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        required=False,
        help_text=f"How often today (UTC): {', '.join(map(str, Event))}.",
    )
    token_warning = serializers.CharField(required=False, allow_null=True)
    stage_warning = serializers.CharField(required=False, allow_null=True)


class Owner(Described):
    """Who took a lock."""

    host = serializers.CharField()
    pid = serializers.IntegerField()
    submission = serializers.CharField(help_text="The id of the submission that is delivered.")
    acquired_at = serializers.DateTimeField()


class Lock(Described):
    """One lock."""

    key = serializers.CharField(help_text="Masked for whoever may not see people.")
    ttl_ms = serializers.IntegerField(allow_null=True)
    ttl_seconds = serializers.IntegerField(allow_null=True)
    expires_in = serializers.CharField(help_text="`28s`, or `never`.")
    owner = Owner(allow_null=True, help_text="`null` where another program wrote the value.")
    holder_id = serializers.CharField()
    held_ms = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(State.values)
    waiting = serializers.IntegerField(min_value=0, help_text="Submissions that wait for it.")


class Redis(Described):
    """Whether it answers, and whether it takes writes."""

    connected = serializers.BooleanField()
    available = serializers.BooleanField()


class LockList(Described):
    """Locks and their number."""

    count = serializers.IntegerField(min_value=0)
    items = Lock(many=True)


class Locks(Described):
    """The locks that were asked for."""

    success = Yes()
    redis = Redis()
    locks = LockList()
    timestamp = serializers.DateTimeField()


class LocksError(Error):
    """An error in the shape of the list."""

    redis = Redis()
    locks = LockList()
    timestamp = serializers.DateTimeField()


class LockEvent(Described):
    """What happened to a lock."""

    at = serializers.DateTimeField()
    kind = serializers.ChoiceField([str(kind) for kind in Kind])
    key = serializers.CharField()
    holder_id = serializers.CharField()
    submission = serializers.CharField()
    waited_ms = serializers.IntegerField(allow_null=True)
    held_ms = serializers.IntegerField(allow_null=True)
    by = serializers.CharField(help_text="Who cleared it.")
    why = serializers.CharField()


class History(Described):
    """The latest events, newest first."""

    success = Yes()
    events = LockEvent(many=True)
    timestamp = serializers.DateTimeField()


class Cleared(Described):
    """How many locks were cleared."""

    success = Yes()
    message = serializers.CharField()
    deleted = serializers.IntegerField(min_value=0)
    timestamp = serializers.DateTimeField()


class NotCleared(Error):
    """Why not all was cleared, and how much nevertheless."""

    success = No()
    deleted = serializers.IntegerField(min_value=0)
    timestamp = serializers.DateTimeField()
