"""E-mails and phones that identify nobody, kept in the database beside ``IGNORED_IDENTITIES``.

A row is enough: whatever reads whose an identity is leaves those out. One that was somebody's is
nobody's from then on, and theirs again when the row is deleted.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from amocrm.identity import IdentityKey, Kind
from amocrm.models import Identity, IgnoredIdentity, NamedTogether


def identifying(account: str, keys: Collection[IdentityKey]) -> frozenset[IdentityKey]:
    """Those of ``keys`` that may identify somebody."""
    if not keys:
        return frozenset()
    rows = IgnoredIdentity.objects.filter(
        account=account, kind__in={key.kind for key in keys}, value__in={key.value for key in keys}
    )
    ignored = {
        IdentityKey(cast(Kind, kind), value) for kind, value in rows.values_list("kind", "value")
    }
    return frozenset(keys) - ignored


def leave_out(rows: QuerySet[Identity]) -> QuerySet[Identity]:
    """``rows`` less those that identify nobody any more."""
    same = {name: OuterRef(name) for name in ("account", "kind", "value")}
    return rows.exclude(Exists(IgnoredIdentity.objects.filter(**same)))


def restore(rows: QuerySet[IgnoredIdentity]) -> None:
    """These identify again, and how many they name is counted anew."""
    for row in rows:
        with transaction.atomic():
            NamedTogether.objects.filter(account=row.account, **{row.kind: row.value}).delete()
            row.delete()


def ignore(account: str, key: IdentityKey, *, people: int) -> bool:
    """The service has found that ``key`` names ``people`` different people; whether that is new."""
    _, is_new = IgnoredIdentity.objects.get_or_create(
        account=account, kind=key.kind, value=key.value, defaults={"people": people}
    )
    return is_new
