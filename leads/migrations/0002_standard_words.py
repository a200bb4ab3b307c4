"""Columns get the names that the field uses."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leads", "0001_initial")]

    operations = [
        migrations.RenameField("submission", "rung_at", "dispatched_at"),
        migrations.RenameField("submission", "claimed_until", "leased_until"),
        migrations.RenameField("submission", "claim_token", "lease_token"),
        migrations.AlterField(
            "submission",
            "leased_until",
            models.DateTimeField(blank=True, null=True, verbose_name="leased until"),
        ),
        migrations.AlterField(
            "submission",
            "lease_token",
            models.CharField(blank=True, max_length=128, verbose_name="leased by"),
        ),
        migrations.AlterField(
            "deliveryattempt",
            "submission",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="delivery_attempts",
                to="leads.submission",
                verbose_name="submission",
            ),
        ),
    ]
