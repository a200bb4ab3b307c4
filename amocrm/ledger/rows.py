"""Rows of the ledger, inside the transaction of whoever writes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, cast

from django.db import transaction
from django.db.models import F

from amocrm.identity import IdentityKey, Kind
from amocrm.models import Identity, Person


class ChangedMeanwhile(Exception):
    """The rows changed between looking and locking: nothing of this transaction may stay."""


def owners(account: str, keys: Collection[IdentityKey]) -> dict[IdentityKey, int]:
    """Whose these keys are, by the id of the person; those that nobody has are left out."""
    wanted = frozenset(keys)
    rows = Identity.objects.filter(
        account=account,
        # The index begins with it: without it every look reads all that the account has.
        kind__in={key.kind for key in wanted},
        value__in={key.value for key in wanted},
        is_ignored=False,
    )
    return {
        key: person_id
        for kind, value, person_id in rows.values_list("kind", "value", "person_id")
        if (key := IdentityKey(cast(Kind, kind), value)) in wanted
    }


def locked(ids: Collection[int]) -> list[Person]:
    """The people with these ids, locked in the order of them."""
    # FOR NO KEY UPDATE, so that inserting a foreign key to the row waits for nobody.
    rows = Person.objects.select_for_update(no_key=True)
    return list(rows.filter(id__in=set(ids)).order_by("id"))


def enter(person: Person, keys: Iterable[IdentityKey]) -> None:
    """New identities of ``person``, in the caller's transaction."""
    Identity.objects.bulk_create(
        Identity(account=person.account, kind=key.kind, value=key.value, person=person)
        for key in sorted(keys)  # in one order everywhere: no deadlocks
    )


def move(keys: Iterable[IdentityKey], *, giver: Person, taker: Person) -> None:
    """These identities of one person are the other's, in the caller's transaction. None of the
    taker's contacts is known to carry them."""
    for key in sorted(keys):
        rows = Identity.objects.filter(person=giver, kind=key.kind, value=key.value)
        rows.update(person=taker, on_contact=False)


def change(person: Person, **fields: Any) -> None:
    """Raise the version, with ``fields``; :class:`ChangedMeanwhile` if another one stands there."""
    changed = Person.objects.filter(id=person.pk, version=person.version).update(
        version=F("version") + 1, **fields
    )
    if not changed:
        raise ChangedMeanwhile
    person.version += 1
    for field, value in fields.items():
        setattr(person, field, value)


def forget_account(account: str) -> int:
    """Forget everybody in an account that exists no longer (a sandbox that was restarted);
    how many there were."""
    people = Person.objects.filter(account=account)
    with transaction.atomic():
        Identity.objects.filter(account=account).delete()
        people.update(merged_into=None)
        return people.delete()[1].get("amocrm.Person", 0)
