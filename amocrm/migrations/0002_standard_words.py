"""Columns and choices get the names that the field uses."""

import django.db.models.deletion
from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ORIGINS = {"united": "merged", "raced": "superseded"}
STATES = {"closing": "superseded"}


def rename(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give stored choices their new values."""
    _replace(apps, schema_editor, ORIGINS, STATES)


def rename_back(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give them their old values again."""
    origins = {new: old for old, new in ORIGINS.items()}
    _replace(apps, schema_editor, origins, {new: old for old, new in STATES.items()})


def _replace(
    apps: Apps,
    schema_editor: BaseDatabaseSchemaEditor,
    origins: dict[str, str],
    states: dict[str, str],
) -> None:
    model = apps.get_model("amocrm", "DuplicateLead")
    rows = model._default_manager.using(schema_editor.connection.alias)
    for before, after in origins.items():
        rows.filter(origin=before).update(origin=after)
    for before, after in states.items():
        rows.filter(state=before).update(state=after)


class Migration(migrations.Migration):
    dependencies = [("amocrm", "0001_initial")]

    operations = [
        migrations.RenameField("person", "united_into", "merged_into"),
        migrations.RenameField("accountstate", "held_until", "backoff_until"),
        migrations.AlterField(
            "person",
            "merged_into",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="absorbed",
                to="amocrm.person",
                verbose_name="merged into",
            ),
        ),
        migrations.AlterField(
            "accountstate",
            "backoff_until",
            models.DateTimeField(blank=True, null=True, verbose_name="backing off until"),
        ),
        migrations.AlterField(
            "duplicatelead",
            "origin",
            models.CharField(
                choices=[
                    ("merged", "two people turned out to be one"),
                    ("found", "was there already"),
                    ("superseded", "made at the same moment by us"),
                ],
                max_length=10,
                verbose_name="origin",
            ),
        ),
        migrations.AlterField(
            "duplicatelead",
            "state",
            models.CharField(
                choices=[
                    ("unchecked", "not looked at yet"),
                    ("active", "active"),
                    ("superseded", "to be closed by us"),
                    ("closed", "closed"),
                ],
                default="unchecked",
                max_length=10,
                verbose_name="state",
            ),
        ),
        migrations.RunPython(rename, rename_back),
    ]
