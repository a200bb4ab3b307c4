"""Operators may mark a duplicate as dealt with. A group that was removed stays removed.

Django makes permissions only after all migrations, so one missing yet is made here.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

GROUP = "Operators"


def grant(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    using = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(using).filter(name=GROUP).first()
    if group is None:
        return
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(using)
    content_type, _ = content_types.get_or_create(app_label="amocrm", model="duplicatelead")
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    permission, _ = permissions.get_or_create(
        content_type=content_type,
        codename="change_duplicatelead",
        defaults={"name": "Can change duplicate lead"},
    )
    group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = (("locks_admin", "0002_operators"),)

    operations = (migrations.RunPython(grant, migrations.RunPython.noop),)
