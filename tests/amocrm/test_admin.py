"""The ledger and the account's state in the admin: to be read, and to be resumed."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from amocrm import conf, counters, ledger
from amocrm.api import pause
from amocrm.identity import IdentityKey
from amocrm.models import AccountState, DuplicateLead, DuplicateSearch, EventCount, Person
from tests.amocrm.clients import TOKEN

pytestmark = pytest.mark.django_db

MODELS = ("person", "duplicatelead", "accountstate", "eventcount")
STATES = "admin:amocrm_accountstate_changelist"
EVIL = "<script>alert(1)</script>@b.kz"


@pytest.fixture
def person() -> Person:
    keys = {
        IdentityKey("email", "a@b.kz"),
        IdentityKey("phone", "+77771112233"),
        ledger.contact_key(55),
    }
    state = ledger.record(ledger.resolve(conf.current().account, keys), 77)
    DuplicateLead.objects.create(person_id=state.id, lead_id=88, state="active", origin="found")
    counters.count(counters.Event.ADOPTED)
    pause.begin(conf.current().account, "token", f"revoked {EVIL}")
    return Person.objects.get(id=state.id)


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("olga", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def rows() -> list[Any]:
    return [list(model.objects.values()) for model in (Person, DuplicateLead, AccountState)]


@pytest.mark.parametrize("model", MODELS)
def test_an_operator_reads_every_page(admin_client: Client, person: Person, model: str) -> None:
    listed = admin_client.get(reverse(f"admin:amocrm_{model}_changelist"))
    assert listed.status_code == 200
    row = {
        "person": person.pk,
        "duplicatelead": DuplicateLead.objects.get().pk,
        "accountstate": AccountState.objects.get().pk,
        "eventcount": EventCount.objects.filter(event="adopted").get().pk,
    }[model]
    shown = admin_client.get(reverse(f"admin:amocrm_{model}_change", args=[row]))
    assert shown.status_code == 200
    assert "_save" not in shown.content.decode()
    assert EVIL not in listed.content.decode() + shown.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_nobody_adds_changes_or_deletes(admin_client: Client, person: Person, model: str) -> None:
    before = rows()
    pk = {"person": person.pk, "duplicatelead": DuplicateLead.objects.get().pk}.get(
        model, AccountState.objects.get().pk
    )
    assert admin_client.get(reverse(f"admin:amocrm_{model}_add")).status_code == 403
    for name in ("change", "delete"):
        url = reverse(f"admin:amocrm_{model}_{name}", args=[pk])
        assert admin_client.post(url, {"post": "yes", "lead_id": "1"}).status_code in (403, 404)
    admin_client.post(
        reverse(f"admin:amocrm_{model}_changelist"),
        {"action": "delete_selected", "_selected_action": [pk], "post": "yes"},
    )
    assert rows() == before


def test_a_person_is_shown_with_identities_leads_and_links(
    admin_client: Client, person: Person
) -> None:
    page = admin_client.get(reverse("admin:amocrm_person_change", args=[person.pk]))
    shown = page.content.decode()
    base_url = conf.current().base_url
    for expected in (
        "a@b.kz",
        "+77771112233",
        f'href="{base_url}/contacts/detail/55"',
        f'href="{base_url}/leads/detail/77"',
        "88",
    ):
        assert expected in shown


def test_a_person_is_found_by_any_identity(admin_client: Client, person: Person) -> None:
    url = reverse("admin:amocrm_person_changelist")
    for query, there in (("+77771112233", True), ("77", True), ("nobody@x.kz", False)):
        shown = admin_client.get(url, {"q": query}).content.decode()
        assert (person.lock_name in shown) is there


def test_leads_of_another_account_have_no_link_into_this_one(admin_client: Client) -> None:
    state = ledger.resolve(
        "other.amocrm.ru", {IdentityKey("email", "a@b.kz"), ledger.contact_key(5)}
    )
    ledger.record(state, 77)
    page = admin_client.get(reverse("admin:amocrm_person_change", args=[state.id]))
    assert "/detail/" not in page.content.decode()


def test_who_may_see_people_sees_their_identities(person: Person) -> None:
    client = staff("view_person")
    page = client.get(reverse("admin:amocrm_person_change", args=[person.pk]))
    assert "+77771112233" in page.content.decode()


@pytest.mark.parametrize("model", MODELS)
def test_staff_without_permission_sees_nothing(person: Person, model: str) -> None:
    assert staff().get(reverse(f"admin:amocrm_{model}_changelist")).status_code == 403


@pytest.mark.parametrize("model", MODELS)
def test_strangers_are_sent_to_the_login_page(client: Client, person: Person, model: str) -> None:
    answer = client.get(reverse(f"admin:amocrm_{model}_changelist"))
    assert answer.status_code == 302
    assert "/login/" in answer["Location"]


def resume(client: Client, **more: Any) -> Any:
    data = {"action": "resume_now", "_selected_action": [s.pk for s in AccountState.objects.all()]}
    return client.post(reverse(STATES), data, follow=True, **more)


def test_an_operator_resumes_a_paused_account(person: Person) -> None:
    client = staff("view_accountstate", "change_accountstate")
    shown = resume(client).content.decode()
    assert "Отправка в amoCRM возобновлена" in shown
    assert pause.current() is None
    entry = LogEntry.objects.get()
    assert entry.user.get_username() == "olga"
    assert entry.object_repr == conf.current().account


def test_resuming_what_is_not_paused_says_so(admin_client: Client, person: Person) -> None:
    pause.resume("somebody")
    assert "не была приостановлена" in resume(admin_client).content.decode()
    assert LogEntry.objects.count() == 0


def test_who_may_only_look_cannot_resume(person: Person) -> None:
    client = staff("view_accountstate")
    resume(client)
    assert pause.current() is not None
    assert LogEntry.objects.count() == 0


def test_resuming_needs_a_csrf_token(person: Person, admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert resume(client).status_code == 403
    assert pause.current() is not None


def test_looking_at_the_page_resumes_nothing(admin_client: Client, person: Person) -> None:
    admin_client.get(reverse(STATES), {"action": "resume_now"})
    assert pause.current() is not None


def test_another_account_is_not_resumed(admin_client: Client) -> None:
    pause.begin("other.amocrm.ru", "token", "revoked")
    assert "Возобновить можно только" in resume(admin_client).content.decode()
    assert AccountState.objects.get().paused_since is not None


def test_no_page_shows_the_token(admin_client: Client, person: Person, settings: Settings) -> None:
    settings.AMOCRM_ACCESS_TOKEN = TOKEN
    for model in MODELS:
        page = admin_client.get(reverse(f"admin:amocrm_{model}_changelist"))
        assert TOKEN not in page.content.decode()


# --- duplicates ----------------------------------------------------------------------------------

DUPLICATES = "admin:amocrm_duplicatelead_changelist"


def deal(client: Client, **more: Any) -> Any:
    data = {
        "action": "dealt_with",
        "_selected_action": [row.pk for row in DuplicateLead.objects.all()],
    }
    return client.post(reverse(DUPLICATES), data, follow=True, **more)


def test_the_recorded_lead_is_not_listed_as_its_own_duplicate(
    admin_client: Client, person: Person
) -> None:
    own = DuplicateLead.objects.create(person=person, lead_id=77, state="closed", origin="found")
    for url in (reverse(DUPLICATES), reverse("admin:amocrm_person_change", args=[person.pk])):
        shown = admin_client.get(url).content.decode()
        assert f"{own.lead_id}</a></th>" not in shown
        assert shown.count("/leads/detail/77") == 1  # the recorded lead
        assert "88" in shown
    url = reverse("admin:amocrm_duplicatelead_change", args=[own.pk])
    assert admin_client.get(url).status_code == 302


def test_a_person_without_a_recorded_lead_has_duplicates_all_the_same(
    admin_client: Client, person: Person
) -> None:
    Person.objects.filter(pk=person.pk).update(lead_id=None)
    assert "/leads/detail/88" in admin_client.get(reverse(DUPLICATES)).content.decode()


def test_what_was_known_of_somebody_who_was_merged_is_not_listed(
    admin_client: Client, person: Person
) -> None:
    other = Person.objects.create(account=person.account, lock_name="x", merged_into=person)
    DuplicateLead.objects.create(person=other, lead_id=99, state="active", origin="found")
    assert "/leads/detail/99" not in admin_client.get(reverse(DUPLICATES)).content.decode()


def test_an_operator_marks_a_duplicate_as_dealt_with(person: Person) -> None:
    client = staff("view_duplicatelead", "change_duplicatelead")
    assert "Отмечено разобранными: 1." in deal(client).content.decode()
    row = DuplicateLead.objects.get()
    assert (row.state, row.dealt_with_by) == ("active", "olga")
    assert row.dealt_with_at is not None
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id) == ("olga", str(row.pk))
    assert "Отмечено разобранными: 0." in deal(client).content.decode()
    assert LogEntry.objects.count() == 1
    for choice, there in (("yes", True), ("no", False), ("", True), ("maybe", True)):
        shown = client.get(reverse(DUPLICATES), {"dealt_with": choice}).content.decode()
        assert ("olga, " in shown) is there


def test_who_may_only_look_marks_nothing(person: Person) -> None:
    deal(staff("view_duplicatelead"))
    assert DuplicateLead.objects.get().dealt_with_at is None
    assert LogEntry.objects.count() == 0


def test_marking_needs_a_csrf_token(person: Person, admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert deal(client).status_code == 403
    assert DuplicateLead.objects.get().dealt_with_at is None


def test_the_last_search_stands_above_the_list(admin_client: Client) -> None:
    assert "Поиска ещё не было" in admin_client.get(reverse(DUPLICATES)).content.decode()
    DuplicateSearch.objects.create(
        account=conf.current().account, failed_at=timezone.now(), error=EVIL
    )
    shown = admin_client.get(reverse(DUPLICATES)).content.decode()
    assert "не удался: &lt;script&gt;" in shown
