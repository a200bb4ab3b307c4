"""Nobody is taken for somebody else: forms that name two people, against the real sandbox."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from amocrm import conf, ledger
from amocrm.counters import totals
from amocrm.errors import NobodyToIdentify
from amocrm.identity import IdentityKey
from amocrm.ledger import decisions, ignored
from amocrm.models import DuplicateLead, IgnoredIdentity, MergeProposal, Person
from amocrm.sandbox.server import RunningSandbox
from amocrm.upsert.protocol import upsert_lead
from tests.amocrm.upsert.deliveries import EMAIL, PHONE, Remembered, request_of
from tests.amocrm.upsert.test_protocol import (
    FIRST_STAGE,
    OTHER_EMAIL,
    OTHER_PHONE,
    active_leads,
    delivered,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


def contact_of(sandbox: RunningSandbox, lead_id: int) -> dict[str, Any]:
    state = sandbox.control.state()
    (lead,) = [one for one in state["leads"] if one["id"] == lead_id]
    contact: dict[str, Any]
    (contact,) = [one for one in state["contacts"] if one["id"] in lead["contact_ids"]]
    return contact


def note_of(sandbox: RunningSandbox, reference: str) -> str:
    texts = [note["text"] for note in sandbox.control.state()["notes"]]
    return "\n".join(text for text in texts if reference in text)


def owner(kind: Any, value: str) -> int:
    key = IdentityKey(kind, value)
    return ledger.owners(conf.current().account, [key])[key]


# The reports (CASES.md) -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["x", "Клиент", "Анна Иванова"])
def test_one_email_with_the_phones_of_fifteen_others_leaves_each_of_them_a_lead(
    sandbox: RunningSandbox, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Case h1: it made one contact with 16 e-mails and 15 phones, and one lead."""
    phones = [f"+770255500{number:02d}" for number in range(1, 16)]
    for phone in phones:
        delivered("poison@evil.kz", phone, name=name)

    leads = [
        delivered(f"person{number}@x.kz", phone, name=f"Клиент {number}").lead_id
        for number, phone in enumerate(phones)
    ]

    assert len(set(leads)) == 15
    for lead_id, phone in zip(leads, phones, strict=True):
        assert phone in contact_of(sandbox, lead_id)["phones"]
    assert max(len(one["emails"]) for one in sandbox.control.state()["contacts"]) <= 2
    assert IgnoredIdentity.objects.get().value == "poison@evil.kz"
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert any("poison@evil.kz" in text and "nobody" in text for text in warnings)
    assert totals()["names_too_many"] == 1


def test_a_stranger_who_names_a_customers_phone_does_not_get_her_lead(
    sandbox: RunningSandbox,
) -> None:
    """Case h2: the stranger's lead became the recorded one of Alice, with two active leads."""
    alices = delivered("alice@clinic.kz", PHONE)
    strangers = delivered("att@evil.kz", OTHER_PHONE)
    before = sandbox.control.state()

    request = request_of("alice@clinic.kz", OTHER_PHONE)
    result = upsert_lead(request, Remembered())

    assert result.lead_id == alices.lead_id
    assert Person.objects.get(pk=owner("email", "alice@clinic.kz")).lead_id == alices.lead_id
    assert MergeProposal.objects.get().state == "open"
    after = sandbox.control.state()
    assert len(after["leads"]) == len(before["leads"]) == 2
    assert after["contacts"] == before["contacts"]
    note = note_of(sandbox, request.reference)
    assert "Возможно, это тот же человек" in note
    assert f"/leads/detail/{strangers.lead_id}" in note


def test_a_proposal_does_not_bring_her_own_forms_to_the_stranger(sandbox: RunningSandbox) -> None:
    """Case h2, and her lead is won before anybody decides."""
    alices = delivered("alice@clinic.kz", PHONE)
    strangers = delivered("att@evil.kz", OTHER_PHONE)
    delivered("alice@clinic.kz", OTHER_PHONE)
    sandbox.control.act("close_lead", lead_id=alices.lead_id)

    new = delivered("alice@clinic.kz", PHONE)

    assert new.action == "created"
    assert new.lead_id not in (alices.lead_id, strangers.lead_id)


# Whom the CRM had before ------------------------------------------------------------------------


def test_the_contacts_of_two_customers_stay_those_of_two(sandbox: RunningSandbox) -> None:
    planted = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL]}, {"name": "Берик", "phones": [PHONE]}],
        leads=[
            {"contact": 0, "status_id": FIRST_STAGE},
            {"contact": 1, "status_id": FIRST_STAGE},
        ],
    )
    before = sandbox.control.state()["contacts"]

    assert delivered().lead_id == planted["leads"][0]

    assert sandbox.control.state()["contacts"] == before
    assert owner("email", EMAIL) != owner("phone", PHONE)
    assert MergeProposal.objects.get().state == "open"
    assert not DuplicateLead.objects.exists()
    assert delivered("", PHONE).lead_id == planted["leads"][1]


def test_no_lead_is_made_where_who_may_be_the_same_has_one(sandbox: RunningSandbox) -> None:
    planted = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL]}, {"name": "Берик", "phones": [PHONE]}],
        leads=[{"contact": 1, "status_id": FIRST_STAGE}],
    )

    for _ in range(2):
        assert delivered().lead_id == planted["leads"][0]

    assert len(sandbox.control.state()["contacts"]) == 2
    assert contact_of(sandbox, planted["leads"][0])["emails"] == []


def test_a_phone_of_somebody_else_is_not_given_to_who_names_it(sandbox: RunningSandbox) -> None:
    """A known person names one more phone, and the CRM has it on another contact."""
    sandbox.control.seed(
        contacts=[{"name": "Берик", "phones": [OTHER_PHONE]}],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}],
    )
    hers = delivered()

    assert delivered(EMAIL, OTHER_PHONE).lead_id == hers.lead_id

    assert contact_of(sandbox, hers.lead_id)["phones"] == [PHONE]
    assert owner("phone", OTHER_PHONE) != owner("email", EMAIL)
    assert delivered("", OTHER_PHONE).lead_id != hers.lead_id


def test_a_number_on_many_contacts_makes_nobody_one(sandbox: RunningSandbox) -> None:
    """A manager's own number stands on every contact."""
    planted = sandbox.control.seed(
        contacts=[
            {"name": f"Клиент {number}", "emails": [f"c{number}@x.kz"], "phones": [PHONE]}
            for number in range(8)
        ],
        leads=[{"contact": number, "status_id": FIRST_STAGE} for number in range(8)],
    )

    leads = [delivered(f"c{number}@x.kz", "").lead_id for number in range(8)]

    assert leads == planted["leads"]
    row = IgnoredIdentity.objects.get()
    assert (row.value, row.people) == (PHONE, 8)
    assert not DuplicateLead.objects.exists()


def test_contacts_that_share_only_what_is_ignored_are_two_people(sandbox: RunningSandbox) -> None:
    shared = "+77272581111"
    ignored.ignore(conf.current().account, IdentityKey("phone", shared))
    sandbox.control.seed(
        contacts=[
            {"name": "Анна", "emails": [EMAIL], "phones": [shared]},
            {"name": "Берик", "phones": [PHONE, shared]},
        ],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}, {"contact": 1, "status_id": FIRST_STAGE}],
    )

    delivered()

    assert owner("email", EMAIL) != owner("phone", PHONE)


def test_two_whose_leads_a_manager_has_moved_away_do_not_wait_for_each_other(
    sandbox: RunningSandbox,
) -> None:
    planted = sandbox.control.seed(
        contacts=[
            {"name": "Анна", "emails": [EMAIL]},
            {"name": "Берик", "phones": [PHONE]},
            {"name": "Фирма"},
        ],
        leads=[{"contact": 0, "status_id": FIRST_STAGE}, {"contact": 1, "status_id": FIRST_STAGE}],
    )
    for named in ((EMAIL, PHONE), (EMAIL, ""), ("", PHONE)):
        delivered(*named)
    for lead_id in planted["leads"]:
        sandbox.control.act("reassign_lead", lead_id=lead_id, contact_id=planted["contacts"][2])

    results = [delivered(*named) for named in ((EMAIL, PHONE), (EMAIL, ""), ("", PHONE))]

    assert len({result.lead_id for result in results}) == 2
    assert not {result.lead_id for result in results} & set(planted["leads"])


def test_a_lead_that_is_there_gets_its_note_though_its_person_is_ignored_meanwhile(
    sandbox: RunningSandbox,
) -> None:
    request, progress = request_of(EMAIL, ""), Remembered()
    sandbox.control.fault("answer", method="POST", path=r"/api/v4/leads/\d+/notes", status=422)
    upsert_lead(request, progress)
    progress.note_sent_at = None  # as after a lost answer that was surely not carried out
    ignored.ignore(conf.current().account, IdentityKey("email", EMAIL))

    assert upsert_lead(request, progress).lead_id == progress.lead_id

    assert request.reference in note_of(sandbox, request.reference)


def test_a_note_that_began_on_one_lead_ends_there(sandbox: RunningSandbox) -> None:
    """The submission went to the partner's lead; by the next attempt its own person has one."""
    planted = sandbox.control.seed(
        contacts=[{"name": "Анна", "emails": [EMAIL]}, {"name": "Берик", "phones": [PHONE]}],
        leads=[{"contact": 1, "status_id": FIRST_STAGE}],
    )
    request, progress = request_of(), Remembered()
    upsert_lead(request, progress)
    progress.note_sent_at = None  # it is not known to have been written
    sandbox.control.act("close_lead", lead_id=planted["leads"][0])
    own = delivered(EMAIL, "")
    sandbox.control.act("move_lead", lead_id=planted["leads"][0], status_id=FIRST_STAGE)

    again = upsert_lead(request, progress)

    assert own.action == "created"
    assert again.lead_id == planted["leads"][0] != own.lead_id


def test_who_was_parted_gets_a_lead_and_a_contact_of_their_own(sandbox: RunningSandbox) -> None:
    first = delivered()
    decisions.part(owner("email", EMAIL), {IdentityKey("phone", PHONE)}, by="olga")

    second = delivered(OTHER_EMAIL, PHONE)

    assert second.lead_id != first.lead_id
    assert contact_of(sandbox, second.lead_id)["emails"] == [OTHER_EMAIL]
    request = request_of(EMAIL, PHONE)
    assert upsert_lead(request, Remembered()).lead_id == first.lead_id
    assert (
        f"принадлежит другому человеку: {conf.current().base_url}/leads/detail/{second.lead_id}"
        in note_of(sandbox, request.reference)
    )
    assert len(active_leads(sandbox)) == 2
    assert owner("phone", PHONE) != owner("email", EMAIL)


# What is not used -------------------------------------------------------------------------------


def test_what_is_beyond_the_limit_is_in_the_note_and_not_on_the_contact(
    sandbox: RunningSandbox, settings: Any
) -> None:
    settings.PERSON_MAX_IDENTITIES = 1
    first = delivered()
    request = request_of(EMAIL, OTHER_PHONE)

    assert upsert_lead(request, Remembered()).lead_id == first.lead_id

    assert contact_of(sandbox, first.lead_id)["phones"] == [PHONE]
    assert "Телефон +7 701 222 3344 не добавлен" in note_of(sandbox, request.reference)
    assert totals()["not_attached"] == 1


def test_an_ignored_email_is_in_the_note_with_a_word(sandbox: RunningSandbox) -> None:
    ignored.ignore(conf.current().account, IdentityKey("email", EMAIL))
    request = request_of()

    lead_id = upsert_lead(request, Remembered()).lead_id

    assert contact_of(sandbox, lead_id)["emails"] == []
    assert f"E-mail {EMAIL} — общий адрес, по нему никого не искали" in note_of(
        sandbox, request.reference
    )
    with pytest.raises(NobodyToIdentify):
        upsert_lead(request_of(EMAIL, ""), Remembered())
