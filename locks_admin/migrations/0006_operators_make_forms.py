"""Operators may make forms and change them. A group that was removed stays removed.

Django makes permissions only after all migrations, so those missing yet are made here.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

GROUP = "Operators"
ACTIONS = {
    "landingform": ("form", ("view", "add", "change")),
    "formfield": ("field", ("view", "add", "change", "delete")),
}


def grant(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    using = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(using).filter(name=GROUP).first()
    if group is None:
        return
    content_types = apps.get_model("contenttypes", "ContentType").objects.using(using)
    permissions = apps.get_model("auth", "Permission").objects.using(using)
    for model, (name, actions) in ACTIONS.items():
        content_type, _ = content_types.get_or_create(app_label="leads", model=model)
        for action in actions:
            permission, _ = permissions.get_or_create(
                content_type=content_type,
                codename=f"{action}_{model}",
                defaults={"name": f"Can {action} {name}"},
            )
            group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = (("locks_admin", "0005_operators_mend_refused_forms"),)

    operations = (migrations.RunPython(grant, migrations.RunPython.noop),)
