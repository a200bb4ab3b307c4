"""Whose turn it is to be delivered."""

from typing import Any

import django.utils.timezone
from django.db import migrations, models
from django.db.models.functions import Now


def take_turns_as_they_came(apps: Any, schema_editor: Any) -> None:
    waiting = apps.get_model("leads", "Submission").objects.filter(status="accepted")
    waiting.update(turn_at=models.F("created_at"))


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0011_quarantine_and_consent"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="turn_at",
            field=models.DateTimeField(
                db_default=Now(), default=django.utils.timezone.now, editable=False
            ),
        ),
        migrations.RunPython(take_turns_as_they_came, migrations.RunPython.noop),
        migrations.RemoveIndex(
            model_name="submission",
            name="leads_submi_status_678af1_idx",
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                fields=["status", "turn_at", "next_attempt_at"],
                name="leads_submi_status_fab7c1_idx",
            ),
        ),
    ]
