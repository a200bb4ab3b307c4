"""The stored choices get their new names, in a transaction of its own: PostgreSQL alters no table
whose rows were changed in the same one."""

from django.apps.registry import Apps
from django.db import migrations
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
    dependencies = [("amocrm", "0002_standard_words")]

    operations = [migrations.RunPython(rename, rename_back)]
