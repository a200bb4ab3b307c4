"""People who may be one: one anonymous form does not make them one, an operator may."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from amocrm import ledger
from amocrm.counters import totals
from amocrm.identity import IdentityKey
from amocrm.ledger import PersonState, decisions, proposals
from amocrm.ledger.decisions import CannotPart
from amocrm.models import DuplicateLead, MergeProposal, Person

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]

ACCOUNT = "school.amocrm.ru"
ANNA, ANNA2 = IdentityKey("email", "anna@x.kz"), IdentityKey("email", "anna@y.kz")
PHONE, PHONE2 = IdentityKey("phone", "+77771112233"), IdentityKey("phone", "+77012223344")


def with_lead(key: IdentityKey, lead_id: int) -> PersonState:
    return ledger.record(ledger.resolve(ACCOUNT, {key}), lead_id)


def with_contact(key: IdentityKey, contact_id: int) -> PersonState:
    return ledger.link(ledger.resolve(ACCOUNT, {key}), contact_id, {key})


def proposal() -> MergeProposal:
    return MergeProposal.objects.get()


def test_two_people_with_a_lead_each_stay_two_and_operators_are_asked_once() -> None:
    by_phone = with_lead(PHONE, 22)
    by_email = with_lead(ANNA, 11)

    for _ in range(2):
        assert ledger.resolve(ACCOUNT, {ANNA, PHONE}) == by_email

    assert ledger.read(by_phone.id) == by_phone
    row = proposal()
    assert (row.older_id, row.newer_id, row.state) == (by_phone.id, by_email.id, "open")
    assert totals()["merge_proposed"] == 1
    assert totals()["united"] == 0
    assert ledger.partners(by_email.id) == [by_phone.id]


def test_who_has_a_contact_in_the_crm_is_established_too() -> None:
    by_phone, by_email = with_contact(PHONE, 7), with_contact(ANNA, 8)

    assert ledger.resolve(ACCOUNT, {ANNA, PHONE, ANNA2}).id == by_email.id

    assert ledger.read(by_email.id).searchable == {ANNA, ANNA2}
    assert ledger.read(by_phone.id) == by_phone


def test_of_several_only_one_established_they_become_one() -> None:
    ledger.resolve(ACCOUNT, {ANNA})
    by_phone = with_lead(PHONE, 22)

    one = ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert one.identities == {ANNA, PHONE}
    assert one.lead_id == 22
    assert ledger.read(by_phone.id) == one
    assert not MergeProposal.objects.exists()


def test_two_with_the_same_recorded_lead_are_one() -> None:
    with_lead(ANNA, 11)
    with_lead(PHONE, 11)

    assert ledger.resolve(ACCOUNT, {ANNA, PHONE}).identities == {ANNA, PHONE}
    assert not DuplicateLead.objects.exists()


def test_a_contact_of_somebody_established_is_not_given_to_another_one() -> None:
    theirs = with_contact(PHONE, 7)
    other = with_lead(ANNA, 11)

    linked = ledger.link(other, 7, {ANNA, PHONE, PHONE2})

    assert linked == other
    assert ledger.read(theirs.id).identities == theirs.identities
    assert proposal().state == "open"


def test_a_contact_told_apart_takes_along_what_it_alone_carries() -> None:
    person = ledger.link(ledger.resolve(ACCOUNT, {ANNA, PHONE, PHONE2}), 7, {ANNA, PHONE2})

    ledger.set_apart(person, 8, {PHONE, PHONE2, ANNA2}, kept={ANNA, PHONE2})

    other = ledger.resolve(ACCOUNT, {PHONE})
    assert other.id != person.id
    assert other.identities == {ledger.contact_key(8), PHONE, ANNA2}
    now = ledger.read(person.id)
    assert now.identities == {ledger.contact_key(7), ANNA, PHONE2}
    assert now.version > person.version
    assert ledger.partners(person.id) == [other.id]


def test_confirmed_people_are_one_and_the_other_lead_is_shown() -> None:
    older, newer = with_lead(ANNA, 11), with_lead(PHONE, 22)
    ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert decisions.confirm(proposal().pk, by="olga", reason="same passport")
    assert not decisions.confirm(proposal().pk, by="igor")

    one = ledger.resolve(ACCOUNT, {PHONE})
    assert one.identities == {ANNA, PHONE}
    assert (one.id, one.lead_id) == (older.id, 11)
    assert ledger.read(newer.id) == one
    shown = DuplicateLead.objects.get()
    assert (shown.lead_id, shown.origin, shown.state) == (22, "merged", "unchecked")
    row = proposal()
    assert (row.state, row.decided_by, row.reason) == ("confirmed", "olga", "same passport")
    assert row.decided_at is not None
    assert ledger.partners(one.id) == []


def test_refused_people_stay_two_and_are_not_asked_about_again() -> None:
    by_email, by_phone = with_lead(ANNA, 11), with_lead(PHONE, 22)
    ledger.resolve(ACCOUNT, {ANNA, PHONE})

    assert decisions.refuse(proposal().pk, by="olga")
    assert not decisions.refuse(proposal().pk, by="igor")

    assert ledger.resolve(ACCOUNT, {ANNA, PHONE}).id == by_email.id
    assert (proposal().state, proposal().decided_by) == ("refused", "olga")
    assert ledger.partners(by_email.id) == []
    assert ledger.kept_apart(by_email.id) == [by_phone.id]
    assert decisions.confirm(proposal().pk, by="igor")  # whoever knows better
    assert ledger.read(by_phone.id).identities == {ANNA, PHONE}


def test_nobody_is_confirmed_over_a_standing_claim() -> None:
    with_lead(ANNA, 11)
    claimed = ledger.claim(with_lead(PHONE, 22), "submission")
    ledger.resolve(ACCOUNT, {ANNA, PHONE})

    with pytest.raises(ledger.CreationPending) as pending:
        decisions.confirm(proposal().pk, by="olga")

    assert pending.value.person_id == claimed.id
    assert proposal().state == "open"
    assert ledger.read(claimed.id) == claimed


@pytest.mark.parametrize("state", ["open", "refused"])
def test_what_is_said_of_somebody_is_said_of_whom_they_join(state: str) -> None:
    first, second = with_lead(ANNA, 11), with_lead(PHONE, 22)
    ledger.resolve(ACCOUNT, {ANNA, PHONE})
    third = with_lead(PHONE2, 33)
    ledger.resolve(ACCOUNT, {ANNA, PHONE2})
    to_confirm = MergeProposal.objects.get(newer=second.id)
    if state == "refused":
        decisions.refuse(MergeProposal.objects.get(newer=third.id).pk, by="olga")
    decisions.confirm(to_confirm.pk, by="olga")

    assert ledger.kept_apart(first.id) == [third.id]
    assert ledger.resolve(ACCOUNT, {PHONE, PHONE2}).id in (first.id, third.id)
    assert ledger.read(third.id) == third
    assert MergeProposal.objects.get(newer=third.id).state == state


def test_a_refusal_outlives_merging_with_somebody_who_was_only_proposed() -> None:
    first, second, third = with_lead(ANNA, 11), with_lead(PHONE, 22), with_lead(PHONE2, 33)
    for keys in ({ANNA, PHONE}, {ANNA, PHONE2}):
        ledger.resolve(ACCOUNT, keys)
    MergeProposal.objects.create(older_id=second.id, newer_id=third.id, state="refused")

    decisions.confirm(MergeProposal.objects.get(older=first.id, newer=second.id).pk, by="olga")

    assert MergeProposal.objects.get(older=first.id, newer=third.id).state == "refused"


def test_the_same_recorded_lead_makes_two_one_unless_an_operator_said_otherwise() -> None:
    one, other = with_lead(ANNA, 11), with_lead(PHONE, 22)
    ledger.resolve(ACCOUNT, {ANNA, PHONE})
    ledger.record(other, 11)
    decisions.refuse(proposal().pk, by="olga")
    assert ledger.resolve(ACCOUNT, {ANNA, PHONE}).identities == {ANNA}
    MergeProposal.objects.update(state="open")

    assert ledger.resolve(ACCOUNT, {ANNA, PHONE}).identities == {ANNA, PHONE}
    assert ledger.kept_apart(one.id) == []


def test_a_decision_and_a_merge_of_the_same_people_wait_for_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A form makes the parted one part of a third person while an operator confirms."""
    first = ledger.link(ledger.resolve(ACCOUNT, {ANNA, PHONE}), 7)
    third = ledger.link(ledger.resolve(ACCOUNT, {ANNA2}), 8)
    decisions.part(first.id, {PHONE})
    row = proposal()
    merging = threading.Event()
    seen: list[Any] = []
    real = proposals.hand_over

    def hand_over(giver: Person, taker: Person) -> None:
        merging.set()
        while not seen and confirming.is_alive() and connection.vendor == "postgresql":
            with connection.cursor() as cursor:  # until the operator waits for us
                cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
                seen.extend(cursor.fetchall())
        real(giver, taker)

    def confirm() -> None:
        try:
            merging.wait(timeout=10)
            ended.append(decisions.confirm(row.pk, by="olga"))
        finally:
            connection.close()

    ended: list[bool] = []
    monkeypatch.setattr(proposals, "hand_over", hand_over)
    confirming = threading.Thread(target=confirm)
    confirming.start()
    one = ledger.resolve(ACCOUNT, {ANNA2, PHONE})
    confirming.join(timeout=30)

    assert ended in ([False], [True])
    assert one.id == third.id or ledger.read(third.id).id == one.id


# Parting ----------------------------------------------------------------------------------------


def test_what_is_taken_off_is_somebody_else_and_does_not_come_back() -> None:
    person = ledger.record(ledger.resolve(ACCOUNT, {ANNA, PHONE}), 11)

    parted = decisions.part(person.id, {PHONE}, by="olga", reason="his brother")

    assert parted.identities == {PHONE}
    assert parted.lead_id is None
    now = ledger.read(person.id)
    assert now.identities == {ANNA}
    assert now.lead_id == 11
    assert now.version > person.version
    for _ in range(2):
        assert ledger.resolve(ACCOUNT, {ANNA, PHONE}).id == person.id
    assert ledger.resolve(ACCOUNT, {PHONE}).id == parted.id
    assert ledger.link(now, 7, {ANNA, PHONE}).searchable == {ANNA}
    row = proposal()
    assert (row.state, row.decided_by, row.reason) == ("refused", "olga", "his brother")
    assert totals()["parted"] == 1


def test_a_contact_moves_with_what_is_taken_off() -> None:
    person = with_contact(ANNA, 7)
    person = ledger.link(ledger.resolve(ACCOUNT, {ANNA, PHONE}), 8, {PHONE})

    parted = decisions.part(person.id, {PHONE, ledger.contact_key(8)})

    assert parted.contacts == {8}
    assert ledger.read(person.id).contacts == {7}


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({PHONE2}, "not_theirs"),
        ({ledger.contact_key(7)}, "names_nobody"),
        (set(), "names_nobody"),
        ({ANNA, PHONE}, "nothing_left"),
    ],
)
def test_what_cannot_be_taken_off_changes_nothing(keys: set[IdentityKey], code: str) -> None:
    person = ledger.link(ledger.resolve(ACCOUNT, {ANNA, PHONE}), 7)

    with pytest.raises(CannotPart) as refused:
        decisions.part(person.id, keys)

    assert refused.value.code == code
    assert ledger.read(person.id) == person
    assert Person.objects.count() == 1


def test_nobody_is_parted_while_a_lead_may_be_on_its_way() -> None:
    person = ledger.claim(ledger.resolve(ACCOUNT, {ANNA, PHONE}), "submission")

    with pytest.raises(ledger.CreationPending):
        decisions.part(person.id, {PHONE})

    assert ledger.read(person.id) == person


# How much one gathers ------------------------------------------------------------------------


def test_nobody_gathers_more_than_the_limit(settings: Any) -> None:
    settings.PERSON_MAX_IDENTITIES = 2
    person = ledger.resolve(ACCOUNT, {ANNA, PHONE})
    third = IdentityKey("phone", "+77053334455")
    ledger.resolve(ACCOUNT, {ANNA, PHONE2})

    assert ledger.resolve(ACCOUNT, {ANNA, third}).identities == {ANNA, PHONE, PHONE2}

    assert totals()["not_attached"] == 1
    assert ledger.resolve(ACCOUNT, {third}).id != person.id


def test_nobody_joins_who_would_make_it_more_than_the_limit(settings: Any) -> None:
    settings.PERSON_MAX_IDENTITIES = 1
    person = with_lead(ANNA, 11)
    ledger.resolve(ACCOUNT, {ANNA, PHONE})
    waiting = ledger.resolve(ACCOUNT, {PHONE2})

    assert ledger.resolve(ACCOUNT, {ANNA, PHONE2}).identities == {ANNA, PHONE}

    assert ledger.read(waiting.id) == waiting
    assert ledger.read(person.id).id == person.id
    assert totals()["not_attached"] == 1


def test_what_a_contact_of_the_crm_carries_is_not_limited(settings: Any) -> None:
    settings.PERSON_MAX_IDENTITIES = 1

    assert (
        with_contact(ANNA, 7).version
        < ledger.link(ledger.resolve(ACCOUNT, {ANNA}), 7, {ANNA, ANNA2, PHONE, PHONE2}).version
    )
    assert ledger.resolve(ACCOUNT, {PHONE2}).searchable == {ANNA, ANNA2, PHONE, PHONE2}
