"""What names too many is nobody's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from amocrm import ledger
from amocrm.counters import totals
from amocrm.identity import IdentityKey
from amocrm.ledger import ignored
from amocrm.models import IgnoredIdentity, MergeProposal, NamedTogether, Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

ACCOUNT = "school.amocrm.ru"
SHARED = IdentityKey("email", "info@agency.kz")


@pytest.fixture(autouse=True)
def _at_most_two(settings: Any) -> None:
    settings.IDENTITY_MAX_PEOPLE = 2


def phone(number: int) -> IdentityKey:
    return IdentityKey("phone", f"+770100000{number:02d}")


def named(*keys: IdentityKey) -> frozenset[IdentityKey]:
    """One form, as far as the ledger: what still identifies of it."""
    left = ledger.count_naming(ACCOUNT, keys)
    assert left == ignored.identifying(ACCOUNT, keys)
    if left:
        ledger.resolve(ACCOUNT, left)
    return left


def test_an_email_with_too_many_phones_is_nobodys_and_whom_it_joined_are_parted() -> None:
    for number in (1, 2):
        assert named(SHARED, phone(number)) == {SHARED, phone(number)}
    together = ledger.resolve(ACCOUNT, {phone(1), phone(2)})
    assert together.id == ledger.resolve(ACCOUNT, {SHARED}).id
    ledger.record(together, 11)

    assert named(SHARED, phone(3)) == {phone(3)}

    people = [ledger.resolve(ACCOUNT, {phone(number)}) for number in (1, 2, 3)]
    assert [person.lead_id for person in people] == [11, None, None]
    assert [person.identities for person in people] == [{phone(1)}, {phone(2)}, {phone(3)}]
    assert ledger.owners(ACCOUNT, [SHARED]) == {}
    row = IgnoredIdentity.objects.get()
    assert (row.kind, row.value, row.people, row.added_by) == ("email", SHARED.value, 3, "")
    assert totals()["names_too_many"] == 1
    apart = MergeProposal.objects.get()
    assert (apart.state, apart.decided_by, apart.reason) == ("refused", "", SHARED.value)


def test_a_phone_with_too_many_emails_is_nobodys_too() -> None:
    switchboard = phone(9)
    for number in range(3):
        named(IdentityKey("email", f"{number}{number}@x.kz"), switchboard)

    assert IgnoredIdentity.objects.get().value == switchboard.value
    assert Person.objects.filter(merged_into=None).count() == 3


def test_emails_that_look_mistyped_are_one_person() -> None:
    for email in ("anna@gmail.com", "anna@gmail.con", "ana@gmail.com", "anna@mail.ru"):
        named(IdentityKey("email", email), phone(1))

    assert not IgnoredIdentity.objects.exists()


def test_who_was_there_before_the_crowd_is_not_left_with_its_first() -> None:
    owner = ledger.link(ledger.resolve(ACCOUNT, {IdentityKey("email", "bob@x.kz")}), 7, {phone(9)})
    for number in range(3):
        named(IdentityKey("email", f"{number}@x.kz"), phone(9))

    assert ledger.read(owner.id).searchable == {IdentityKey("email", "bob@x.kz")}


def test_the_same_form_again_counts_once() -> None:
    for _ in range(4):
        named(SHARED, phone(1))

    assert NamedTogether.objects.count() == 1
    assert not IgnoredIdentity.objects.exists()


def test_who_was_named_by_something_else_too_stays_together() -> None:
    own = IdentityKey("email", "own@x.kz")
    named(SHARED, phone(1))
    named(SHARED, phone(2))
    named(own, phone(2))

    named(SHARED, phone(3))

    assert ledger.resolve(ACCOUNT, {phone(2)}).searchable == {own, phone(2)}
    assert ledger.resolve(ACCOUNT, {phone(1)}).searchable == {phone(1)}


def test_while_a_lead_may_be_on_its_way_it_waits_for_the_next_form() -> None:
    for number in (1, 2):
        named(SHARED, phone(number))
    claimed = ledger.claim(ledger.resolve(ACCOUNT, {SHARED}), "submission")

    assert SHARED in named(SHARED, phone(3))
    assert not IgnoredIdentity.objects.exists()
    ledger.record(ledger.read(claimed.id), 11)

    assert named(SHARED, phone(4)) == {phone(4)}
    assert ledger.resolve(ACCOUNT, {phone(3)}).searchable == {phone(3)}


def test_one_that_an_operator_ignores_is_nobodys_until_the_row_goes() -> None:
    person = ledger.resolve(ACCOUNT, {SHARED, phone(1)})
    ignored.ignore(ACCOUNT, SHARED)

    assert ignored.identifying(ACCOUNT, {SHARED, phone(1)}) == {phone(1)}
    assert ledger.read(person.id).identities == {phone(1)}
    assert ledger.resolve(ACCOUNT, {SHARED, phone(2)}).id != person.id
    assert ledger.link(ledger.read(person.id), 7, {SHARED, phone(1)}).searchable == {phone(1)}

    ignored.restore(IgnoredIdentity.objects.all())
    assert ledger.read(person.id).searchable == {SHARED, phone(1)}


def test_what_is_restored_is_counted_anew() -> None:
    for number in (1, 2, 3):
        named(SHARED, phone(number))
    ignored.restore(IgnoredIdentity.objects.all())

    assert named(SHARED, phone(4)) == {SHARED, phone(4)}


def test_two_forms_that_cross_the_limit_at_once_fail_neither() -> None:
    for number in (1, 2):
        named(SHARED, phone(number))
    barrier = threading.Barrier(2)

    def name(number: int) -> frozenset[IdentityKey]:
        try:
            barrier.wait(timeout=10)
            return ledger.count_naming(ACCOUNT, {SHARED, phone(number)})
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        left = list(pool.map(name, (3, 4)))

    assert frozenset({phone(3)}) in left or frozenset({phone(4)}) in left
    assert IgnoredIdentity.objects.count() == 1
    assert ledger.resolve(ACCOUNT, {phone(2)}).searchable == {phone(2)}


def test_contacts_that_share_something_else_are_no_crowd() -> None:
    def carried(*values: str) -> frozenset[IdentityKey]:
        return frozenset({phone(9), *(IdentityKey("email", value) for value in values)})

    apart = [carried(f"{number}@x.kz") for number in range(3)]
    assert ledger.is_a_crowd(apart, phone(9))
    assert not ledger.is_a_crowd(apart[:2], phone(9))
    assert not ledger.is_a_crowd([carried("a@x.kz", f"{n}@x.kz") for n in range(3)], phone(9))
    assert not ledger.is_a_crowd([carried()] * 5, phone(9))  # copies of one contact
    # Two groups meet in the last one.
    assert not ledger.is_a_crowd([*apart, carried("0@x.kz", "1@x.kz")], phone(9))


def test_it_is_ignored_in_its_account_only() -> None:
    ignored.ignore("other.amocrm.ru", SHARED)

    assert ignored.identifying(ACCOUNT, {SHARED}) == {SHARED}
