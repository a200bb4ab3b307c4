"""The ledger: who is one person, and every write conditional on what was read before looking."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from amocrm import ledger
from amocrm.errors import PersonChanged
from amocrm.identity import IdentityKey
from amocrm.models import DuplicateLead, Identity, Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

ACCOUNT = "school.amocrm.ru"
ANNA, ANNA2 = IdentityKey("email", "anna@x.kz"), IdentityKey("email", "anna@y.kz")
PHONE, PHONE2 = IdentityKey("phone", "+77771112233"), IdentityKey("phone", "+77012223344")


def test_what_is_named_together_is_one_person() -> None:
    first = ledger.resolve(ACCOUNT, {ANNA, PHONE})
    second = ledger.resolve(ACCOUNT, {PHONE, ANNA2})

    assert first.id == second.id
    assert second.identities == {ANNA, ANNA2, PHONE}
    assert second.lock_name == first.lock_name == "amocrm:lead:anna@x.kz:77771112233"


def test_naming_what_is_known_changes_nothing() -> None:
    first = ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert ledger.resolve(ACCOUNT, {PHONE}) == first


def test_a_new_identity_raises_the_version() -> None:
    first = ledger.resolve(ACCOUNT, {ANNA})

    second = ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert second.version > first.version
    with pytest.raises(PersonChanged):
        ledger.claim(first, "submission")
    assert Person.objects.get().creating_since is None


def test_two_people_named_together_unite_into_the_older_one() -> None:
    by_email = ledger.resolve(ACCOUNT, {ANNA})
    by_phone = ledger.record(ledger.resolve(ACCOUNT, {PHONE}), 22)

    one = ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert one.id == by_email.id
    assert one.identities == {ANNA, PHONE}
    assert ledger.read(by_phone.id) == one
    for stale in (by_email, by_phone):
        with pytest.raises(PersonChanged):
            ledger.record(stale, 33)


def test_the_survivor_takes_over_the_only_recorded_lead() -> None:
    ledger.resolve(ACCOUNT, {ANNA})
    ledger.record(ledger.resolve(ACCOUNT, {PHONE}), 22)

    one = ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert one.lead_id == 22
    assert not DuplicateLead.objects.exists()


def test_nobody_is_united_while_a_claim_stands_but_what_is_new_is_entered() -> None:
    claimed = ledger.claim(ledger.resolve(ACCOUNT, {ANNA}), "submission")
    other = ledger.resolve(ACCOUNT, {PHONE})

    with pytest.raises(ledger.CreationPending) as standing:
        ledger.resolve(ACCOUNT, {ANNA, PHONE, ANNA2})

    assert standing.value.person_id == claimed.id
    assert ledger.read(claimed.id).identities == {ANNA, ANNA2}
    assert ledger.read(claimed.id).creating_ref == claimed.creating_ref
    assert ledger.read(other.id).identities == {PHONE}


def test_a_claim_can_be_made_once() -> None:
    person = ledger.resolve(ACCOUNT, {ANNA})
    claimed = ledger.claim(person, "first")

    for read_by_another in (person, claimed):
        with pytest.raises(PersonChanged):
            ledger.claim(read_by_another, "second")

    assert ledger.read(person.id).creating_ref == claimed.creating_ref


def test_a_release_by_somebody_who_read_before_anothers_claim_changes_nothing() -> None:
    stale = ledger.claim(ledger.resolve(ACCOUNT, {ANNA}), "first")
    newer = ledger.claim(ledger.release(stale), "second")

    with pytest.raises(PersonChanged):
        ledger.release(stale)

    assert ledger.read(newer.id) == newer


def test_a_record_clears_the_claim() -> None:
    claimed = ledger.claim(ledger.resolve(ACCOUNT, {ANNA}), "submission")

    recorded = ledger.record(claimed, 11)

    assert recorded.creating_since is None
    assert recorded.creating_ref == ""
    assert ledger.read(recorded.id) == recorded


def test_learning_from_a_stale_look_changes_nothing() -> None:
    stale = ledger.resolve(ACCOUNT, {ANNA})
    ledger.resolve(ACCOUNT, {ANNA, PHONE})

    with pytest.raises(PersonChanged):
        ledger.link(stale, 7)

    assert not Identity.objects.filter(kind="contact").exists()


def test_learning_that_two_people_are_one_unites_them_and_sends_the_learner_back() -> None:
    by_email = ledger.resolve(ACCOUNT, {ANNA})
    by_phone = ledger.resolve(ACCOUNT, {PHONE})

    with pytest.raises(PersonChanged):
        ledger.link(by_phone, 7, {ANNA})

    assert ledger.read(by_phone.id).id == by_email.id
    assert ledger.read(by_email.id).contacts == {7}


def test_a_forgotten_contact_may_be_somebody_elses() -> None:
    person = ledger.link(ledger.resolve(ACCOUNT, {ANNA}), 7)

    forgotten = ledger.forget_contact(person, 7)

    assert forgotten.contacts == frozenset()
    assert forgotten.version > person.version
    with pytest.raises(PersonChanged):
        ledger.forget_contact(person, 7)
    assert ledger.link(ledger.resolve(ACCOUNT, {PHONE}), 7).contacts == {7}


def test_accounts_do_not_share_people() -> None:
    sandbox = ledger.record(ledger.resolve("127.0.0.1:3001", {ANNA}), 11)

    real = ledger.resolve(ACCOUNT, {ANNA})

    assert real.id != sandbox.id
    assert real.lead_id is None


def test_uniting_in_opposite_order_at_once_ends_in_one_person_without_a_deadlock() -> None:
    """Each round two people exist, and two threads name them together in opposite order."""

    def unite(barrier: threading.Barrier, first: IdentityKey, second: IdentityKey) -> int:
        try:
            barrier.wait(timeout=10)
            return ledger.resolve(ACCOUNT, [first, second]).id
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        for turn in range(15):
            email, phone = IdentityKey("email", f"{turn}@x.kz"), IdentityKey("phone", f"+7{turn}")
            ledger.resolve(ACCOUNT, {email})
            ledger.resolve(ACCOUNT, {phone})
            barrier = threading.Barrier(4)
            orders = [(email, phone), (phone, email)] * 2
            ended = [pool.submit(unite, barrier, *order) for order in orders]
            assert len({one.result(timeout=30) for one in ended}) == 1


def test_naming_new_people_at_once_makes_each_of_them_once() -> None:
    def name(barrier: threading.Barrier, turn: int) -> int:
        try:
            barrier.wait(timeout=10)
            named = [IdentityKey("email", f"{turn}@x.kz"), IdentityKey("phone", f"+7{turn}")]
            return ledger.resolve(ACCOUNT, named).id
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        for turn in range(10):
            barrier = threading.Barrier(6)
            ended = [pool.submit(name, barrier, turn) for _ in range(6)]
            assert len({one.result(timeout=30) for one in ended}) == 1

    assert Person.objects.count() == 10


def test_only_one_of_many_claims_at_once_wins() -> None:
    person = ledger.resolve(ACCOUNT, {ANNA})
    barrier = threading.Barrier(8)

    def claim(number: int) -> bool:
        try:
            barrier.wait(timeout=10)
            ledger.claim(person, str(number))
        except PersonChanged:
            return False
        else:
            return True
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(claim, range(8)))

    assert won.count(True) == 1
