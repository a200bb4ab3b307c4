"""The group "Operators": what somebody on duty needs, and nothing that configures the service.

Django makes permissions only after all migrations, so those missing yet are made here.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

GROUP = "Operators"
GRANTED = (
    ("locks_admin", "lock", "view"),
    ("locks_admin", "lock", "delete"),
    ("leads", "submission", "view"),
    ("leads", "submission", "change"),
    ("leads", "deliveryattempt", "view"),
    ("amocrm", "person", "view"),
    ("amocrm", "identity", "view"),
    ("amocrm", "duplicatelead", "view"),
    ("amocrm", "accountstate", "view"),
    ("amocrm", "eventcount", "view"),
)


def make_group(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    using = schema_editor.connection.alias
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(using)
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    group, _ = apps.get_model("auth", "Group").objects.using(using).get_or_create(name=GROUP)
    for app_label, model, action in GRANTED:
        content_type, _ = content_types.get_or_create(app_label=app_label, model=model)
        name = apps.get_model(app_label, model)._meta.verbose_name
        permission, _ = permissions.get_or_create(
            content_type=content_type,
            codename=f"{action}_{model}",
            defaults={"name": f"Can {action} {name}"},
        )
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = (
        ("locks_admin", "0001_lock"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("leads", "__first__"),
        ("amocrm", "__first__"),
    )

    operations = (migrations.RunPython(make_group, migrations.RunPython.noop),)
