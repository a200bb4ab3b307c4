"""Columns get the names that the field uses."""

import django.db.models.deletion
from django.db import migrations, models


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
                    ("active", "still active"),
                    ("superseded", "to be closed by us"),
                    ("closed", "closed"),
                ],
                default="unchecked",
                max_length=10,
                verbose_name="state",
            ),
        ),
    ]
