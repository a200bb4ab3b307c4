"""What operators decide about people in the admin and at the terminal."""

from __future__ import annotations

import getpass
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from amocrm import conf, ledger
from amocrm.identity import IdentityKey
from amocrm.ledger import PersonState, ignored
from amocrm.management.shell_user import shell_user
from amocrm.models import IgnoredIdentity, MergeProposal, Person
from tests.amocrm.test_admin import staff

pytestmark = pytest.mark.django_db

ANNA, PHONE = IdentityKey("email", "anna@x.kz"), IdentityKey("phone", "+77771112233")
BERIK = IdentityKey("phone", "+77012223344")


@pytest.fixture(autouse=True)
def _in_english(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"


def known(*keys: IdentityKey, lead_id: int = 0) -> PersonState:
    person = ledger.resolve(conf.current().account, keys)
    return ledger.record(person, lead_id) if lead_id else person


@pytest.fixture
def proposal() -> MergeProposal:
    known(ANNA, lead_id=11)
    known(PHONE, lead_id=22)
    known(ANNA, PHONE)
    return MergeProposal.objects.get()


@pytest.fixture
def person() -> PersonState:
    return ledger.link(known(ANNA, PHONE, lead_id=11), 55)


def part_url(person: PersonState) -> str:
    return reverse("admin:amocrm_person_part", args=[person.id])


def decide_url(row: MergeProposal) -> str:
    return reverse("admin:amocrm_mergeproposal_change", args=[row.pk])


# Proposals --------------------------------------------------------------------------------------


def test_a_proposal_shows_both_people_and_their_leads(
    admin_client: Client, proposal: MergeProposal
) -> None:
    listed = admin_client.get(reverse("admin:amocrm_mergeproposal_changelist")).content.decode()
    shown = admin_client.get(
        reverse("admin:amocrm_mergeproposal_change", args=[proposal.pk])
    ).content.decode()

    for text in ("/leads/detail/11", "/leads/detail/22"):
        assert text in listed
        assert text in shown
    assert ANNA.value in shown
    assert PHONE.value in shown
    assert 'name="confirm"' in shown
    assert "_save" not in shown


@pytest.mark.parametrize(("decision", "state"), [("confirm", "confirmed"), ("refuse", "refused")])
def test_an_operator_decides_with_a_reason(
    proposal: MergeProposal, decision: str, state: str
) -> None:
    client = staff("view_mergeproposal", "change_mergeproposal")

    client.post(decide_url(proposal), {decision: "x", "reason": "called her"})

    proposal.refresh_from_db()
    assert (proposal.state, proposal.decided_by) == (state, "olga")
    assert proposal.reason == "called her"
    assert "called her" in LogEntry.objects.get().change_message
    assert Person.objects.filter(merged_into=None).count() == (1 if state == "confirmed" else 2)


@pytest.mark.parametrize("button", ["confirm", "refuse"])
def test_without_a_reason_nothing_is_decided(
    admin_client: Client, proposal: MergeProposal, button: str
) -> None:
    answer = admin_client.post(decide_url(proposal), {button: "x", "reason": " "})

    assert "This field is required" in answer.content.decode()
    proposal.refresh_from_db()
    assert proposal.state == "open"
    assert not LogEntry.objects.exists()


def test_a_decision_waits_while_a_lead_may_be_on_its_way(
    admin_client: Client, proposal: MergeProposal
) -> None:
    ledger.claim(ledger.read(proposal.newer_id), "submission")

    answer = admin_client.post(decide_url(proposal), {"confirm": "x", "reason": "x"}, follow=True)

    assert "try again in a few minutes" in answer.content.decode()
    proposal.refresh_from_db()
    assert proposal.state == "open"


def test_a_second_decision_of_the_same_kind_says_so(
    admin_client: Client, proposal: MergeProposal
) -> None:
    for _ in range(2):
        answer = admin_client.post(
            decide_url(proposal), {"refuse": "x", "reason": "x"}, follow=True
        )
    assert "decided already" in answer.content.decode()
    assert LogEntry.objects.count() == 1


# Parting ----------------------------------------------------------------------------------------


def test_parting_is_shown_first_and_done_after_a_yes(person: PersonState) -> None:
    client = staff("view_person", "change_person")
    chosen = {"keys": ["phone:+77771112233"], "reason": "his brother"}
    page = client.get(reverse("admin:amocrm_person_change", args=[person.id])).content.decode()
    assert part_url(person) in page

    preview = client.post(part_url(person), chosen).content.decode()

    assert "/leads/detail/11" in preview
    assert ledger.read(person.id) == person
    answer = client.post(part_url(person), {**chosen, "confirmed": "yes"}, follow=True)
    assert "another person from now on" in answer.content.decode()
    assert ledger.read(person.id).identities == {ANNA, ledger.contact_key(55)}
    row = MergeProposal.objects.get()
    assert (row.state, row.decided_by, row.reason) == ("refused", "olga", "his brother")
    assert "his brother" in LogEntry.objects.get().change_message


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"keys": ["email:anna@x.kz"], "reason": ""}, "This field is required"),
        ({"keys": [], "reason": "x"}, "This field is required"),
        ({"keys": ["email:evil@x.kz"], "reason": "x"}, "not one of the available choices"),
        ({"keys": ["contact:55"], "reason": "x"}, "a contact alone names nobody"),
        (
            {"keys": ["email:anna@x.kz", "phone:+77771112233"], "reason": "x"},
            "Leave them an e-mail or a phone",
        ),
    ],
)
def test_what_cannot_be_parted_is_said_and_changes_nothing(
    admin_client: Client, person: PersonState, body: dict[str, Any], text: str
) -> None:
    answer = admin_client.post(part_url(person), {**body, "confirmed": "yes"}, follow=True)

    assert text in answer.content.decode()
    assert ledger.read(person.id) == person


def test_nobody_is_parted_over_a_standing_claim(admin_client: Client, person: PersonState) -> None:
    claimed = ledger.claim(person, "submission")
    body = {"keys": ["email:anna@x.kz"], "reason": "x", "confirmed": "yes"}

    answer = admin_client.post(part_url(person), body, follow=True)

    assert "try again in a few minutes" in answer.content.decode()
    assert ledger.read(person.id) == claimed


def test_who_was_merged_into_another_cannot_be_parted(
    admin_client: Client, proposal: MergeProposal
) -> None:
    admin_client.post(decide_url(proposal), {"confirm": "x", "reason": "x"})

    url = reverse("admin:amocrm_person_part", args=[proposal.newer_id])
    assert admin_client.get(url).status_code == 404


@pytest.mark.parametrize("permissions", [(), ("view_person", "view_mergeproposal")])
def test_who_may_only_look_decides_nothing(
    person: PersonState, permissions: tuple[str, ...]
) -> None:
    known(BERIK, lead_id=22)
    known(ANNA, BERIK)
    client = staff(*permissions)
    row = MergeProposal.objects.get()

    assert client.get(part_url(person)).status_code == 403
    body = {"keys": ["phone:+77771112233"], "reason": "x", "confirmed": "yes"}
    assert client.post(part_url(person), body).status_code == 403
    assert client.post(decide_url(row), {"refuse": "x", "reason": "x"}).status_code == 403
    assert ledger.read(person.id) == person
    row.refresh_from_db()
    assert row.state == "open"
    if permissions:
        page = client.get(reverse("admin:amocrm_person_change", args=[person.id]))
        assert part_url(person) not in page.content.decode()
        page = client.get(reverse("admin:amocrm_mergeproposal_change", args=[row.pk]))
        assert 'name="confirm"' not in page.content.decode()


# Ignored identities -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "key"),
    [(" INFO@x.kz", IdentityKey("email", "info@x.kz")), ("8 (777) 111-22-33", PHONE)],
)
def test_an_operator_adds_and_removes_what_names_nobody(typed: str, key: IdentityKey) -> None:
    client = staff("view_ignoredidentity", "add_ignoredidentity", "delete_ignoredidentity")
    account = conf.current().account

    client.post(reverse("admin:amocrm_ignoredidentity_add"), {"value": typed, "reason": "shared"})

    row = IgnoredIdentity.objects.get()
    assert (row.account, row.kind, row.value, row.added_by) == (account, *key, "olga")
    assert ignored.identifying(account, {key}) == set()
    url = reverse("admin:amocrm_ignoredidentity_delete", args=[row.pk])
    client.post(url, {"post": "yes"})
    assert ignored.identifying(account, {key}) == {key}


@pytest.mark.parametrize(
    ("typed", "error"),
    [("twelve", "neither an e-mail nor a phone"), ("Info@X.kz", "in the list already")],
)
def test_what_cannot_be_read_or_is_there_already_is_said(
    admin_client: Client, typed: str, error: str
) -> None:
    IgnoredIdentity.objects.create(
        account=conf.current().account, kind="email", value="info@x.kz", people=7
    )

    answer = admin_client.post(reverse("admin:amocrm_ignoredidentity_add"), {"value": typed})

    assert error in answer.content.decode()
    assert IgnoredIdentity.objects.count() == 1
    listed = admin_client.get(reverse("admin:amocrm_ignoredidentity_changelist"))
    assert "the service: it names too many" in listed.content.decode()


def test_nobody_is_ignored_whose_lead_may_be_on_its_way(
    admin_client: Client, person: PersonState
) -> None:
    ledger.claim(person, "submission")

    answer = admin_client.post(reverse("admin:amocrm_ignoredidentity_add"), {"value": ANNA.value})

    assert "try again in a few minutes" in answer.content.decode()
    assert not IgnoredIdentity.objects.exists()


# The command ------------------------------------------------------------------------------------


def part(*arguments: str) -> str:
    out = StringIO()
    call_command("part_person", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_and_then_parts(person: PersonState) -> None:
    arguments = ("anna@x.kz", "--take-off", "8 777 111 22 33")

    shown = part(*arguments, "--dry-run")

    assert "Stays: 55, anna@x.kz (lead 11)" in shown
    assert shown.endswith("Would take 1 off\n")
    assert ledger.read(person.id) == person
    assert part(*arguments, "--reason", "his brother").endswith("Took 1 off\n")
    assert ledger.read(person.id).searchable == {ANNA}
    row = MergeProposal.objects.get()
    assert row.reason == "his brother"
    assert "@" in row.decided_by


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("anna@x.kz", "--take-off", "+77771112233"), "Say why with --reason"),
        (("nobody@x.kz", "--take-off", "+77771112233", "--reason", "x"), "Nobody is known by"),
        (("anna@x.kz", "--take-off", "twelve", "--reason", "x"), "neither an e-mail nor a phone"),
        (("anna@x.kz", "--take-off", "+77012223344", "--reason", "x"), "This is not theirs"),
        (("anna@x.kz", "--take-off", "contact:55", "--reason", "x"), "names nobody"),
        (
            ("anna@x.kz", *["--take-off", "anna@x.kz", "--take-off", "+77771112233", "--dry-run"]),
            "all",
        ),
    ],
)
def test_the_command_says_what_is_wrong(
    person: PersonState, arguments: tuple[str, ...], error: str
) -> None:
    with pytest.raises(CommandError, match=error):
        part(*arguments)
    assert ledger.read(person.id) == person


def test_the_command_waits_for_a_standing_claim(person: PersonState) -> None:
    ledger.claim(person, "submission")

    with pytest.raises(CommandError, match="few minutes"):
        part("anna@x.kz", "--take-off", "+77771112233", "--reason", "x")


def test_names_of_whoever_sits_at_a_terminal_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def nobody() -> str:
        raise OSError

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert shell_user().startswith("somebody@")
