"""A database that an earlier version has filled is brought along, and can go back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps
from django.utils import timezone

from leads.models import Submission

FIRST = [("amocrm", "0001_initial"), ("leads", "0001_initial")]

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db(transaction=True)]


def migrated(targets: list[tuple[str, str]]) -> StateApps:
    """Bring the database there; the models as they are then."""
    executor = MigrationExecutor(connection)
    executor.migrate(targets)
    return MigrationExecutor(connection).loader.project_state(targets).apps


def newest() -> list[tuple[str, str]]:
    """Where the code of today expects the database to be."""
    leaves = MigrationExecutor(connection).loader.graph.leaf_nodes()
    return [leaf for leaf in leaves if leaf[0] in {"amocrm", "leads"}]


def filled(apps: StateApps) -> dict[str, Any]:
    """Rows of the first version in every state that has another name today."""
    now = timezone.now()
    person_model = apps.get_model("amocrm", "Person")
    people = person_model.objects.create(account="crm", lock_name="amocrm:lead:email:a@b.kz")
    absorbed = person_model.objects.create(
        account="crm", lock_name="amocrm:lead:email:c@d.kz", united_into=people
    )
    duplicates = apps.get_model("amocrm", "DuplicateLead").objects
    for lead_id, origin, state in (
        (1, "united", "unchecked"),
        (2, "found", "active"),
        (3, "raced", "closing"),
        (4, "raced", "closed"),
    ):
        duplicates.create(person=people, lead_id=lead_id, origin=origin, state=state)
    apps.get_model("amocrm", "AccountState").objects.create(account="crm", held_until=now)
    submission = apps.get_model("leads", "Submission").objects.create(
        form="proftest", name="Test User", rung_at=now, claimed_until=now, claim_token="web/1/x"
    )
    return {"now": now, "people": people.pk, "absorbed": absorbed.pk, "submission": submission.pk}


@pytest.fixture
def _at_the_newest_again() -> Any:
    yield
    migrated(newest())


@pytest.mark.usefixtures("_at_the_newest_again")
def test_what_the_first_version_wrote_is_there_under_the_names_of_today() -> None:
    rows = filled(migrated(FIRST))

    apps = migrated(newest())

    person = apps.get_model("amocrm", "Person").objects
    assert person.get(pk=rows["absorbed"]).merged_into_id == rows["people"]
    duplicates = apps.get_model("amocrm", "DuplicateLead").objects.order_by("lead_id")
    assert list(duplicates.values_list("lead_id", "origin", "state")) == [
        (1, "merged", "unchecked"),
        (2, "found", "active"),
        (3, "superseded", "superseded"),
        (4, "superseded", "closed"),
    ]
    assert apps.get_model("amocrm", "AccountState").objects.get().backoff_until == rows["now"]
    submission = apps.get_model("leads", "Submission").objects.get(pk=rows["submission"])
    assert submission.leased_until == rows["now"]
    assert submission.lease_token == "web/1/x"
    assert submission.turn_at == submission.created_at
    assert (submission.remarks, submission.alone) == ([], False)

    back = migrated(FIRST)
    assert list(
        back.get_model("amocrm", "DuplicateLead")
        .objects.order_by("lead_id")
        .values_list("origin", "state")
    ) == [("united", "unchecked"), ("found", "active"), ("raced", "closing"), ("raced", "closed")]


@pytest.mark.usefixtures("_at_the_newest_again")
def test_a_process_of_the_version_before_still_accepts_forms() -> None:
    """Between the migration and the restart nobody is lost."""
    before = migrated([("leads", "0004_extra_attempts")])
    migrated(newest())

    old = before.get_model("leads", "Submission").objects.create(form="express", name="Test User")

    assert Submission.objects.get(pk=old.pk).remarks == []


@pytest.mark.usefixtures("_at_the_newest_again")
def test_a_process_that_names_submissions_in_its_messages_still_accepts_and_dispatches() -> None:
    before = migrated([("leads", "0013_refused_kinds")])
    after = migrated([("leads", "0014_there_is_work")])

    model = before.get_model("leads", "Submission")
    old = model.objects.create(form_id="express", name="Test User")
    assert model.objects.filter(dispatched_at=None).update(dispatched_at=timezone.now()) == 1

    assert not after.get_model("leads", "Submission").objects.get(pk=old.pk).alone
