"""The unmanaged lock model: no table, but permissions."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = ()

    operations = (
        migrations.CreateModel(
            name="Lock",
            fields=[
                (
                    "name",
                    models.CharField(
                        max_length=512, primary_key=True, serialize=False, verbose_name="lock"
                    ),
                ),
            ],
            options={
                "verbose_name": "lock",
                "verbose_name_plural": "locks",
                "managed": False,
                "default_permissions": ("view", "delete"),
            },
        ),
    )
