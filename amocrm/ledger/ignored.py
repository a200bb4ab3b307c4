"""E-mails and phones that identify nobody, kept in the database beside ``IGNORED_IDENTITIES``.

``Identity.is_ignored`` repeats what :class:`~amocrm.models.IgnoredIdentity` says, so that whoever
reads whose an identity is leaves those out at no cost. One that was somebody's is nobody's from
then on, and theirs again when the row goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import cast

from django.db import transaction

from amocrm.identity import IdentityKey, Kind
from amocrm.models import Identity, IgnoredIdentity, NamedTogether


def identifying(account: str, keys: Collection[IdentityKey]) -> frozenset[IdentityKey]:
    """Those of ``keys`` that may identify somebody."""
    if not keys:
        return frozenset()
    rows = IgnoredIdentity.objects.filter(
        account=account, kind__in={key.kind for key in keys}, value__in={key.value for key in keys}
    )
    listed = {
        IdentityKey(cast(Kind, kind), value) for kind, value in rows.values_list("kind", "value")
    }
    return frozenset(keys) - listed


def ignore(
    account: str,
    key: IdentityKey,
    *,
    people: int | None = None,
    by: str = "",
    reason: str = "",
) -> bool:
    """``key`` identifies nobody from now on: an operator says so, or the service, which has found
    that it names ``people``. Whether that is new."""
    with transaction.atomic():
        _, is_new = IgnoredIdentity.objects.get_or_create(
            account=account,
            kind=key.kind,
            value=key.value,
            defaults={"people": people, "added_by": by, "reason": reason},
        )
        mark(account, key, is_ignored=True)
    return is_new


def restore(rows: Iterable[IgnoredIdentity]) -> None:
    """These identify again, and how many they name is counted anew."""
    for row in rows:
        with transaction.atomic():
            NamedTogether.objects.filter(account=row.account, **{row.kind: row.value}).delete()
            mark(row.account, IdentityKey(cast(Kind, row.kind), row.value), is_ignored=False)
            row.delete()


def mark(account: str, key: IdentityKey, *, is_ignored: bool) -> None:
    """Let whoever reads whose ``key`` is see that it is ignored, or is not."""
    rows = Identity.objects.filter(account=account, kind=key.kind, value=key.value)
    rows.exclude(is_ignored=is_ignored).update(is_ignored=is_ignored)
