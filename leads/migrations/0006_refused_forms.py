"""Refused forms are kept for an operator to mend."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0005_remarks"),
    ]

    operations = [
        migrations.CreateModel(
            name="RefusedForm",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "form",
                    models.CharField(
                        choices=[("proftest", "proftest"), ("express", "express course")],
                        max_length=8,
                        verbose_name="form",
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(
                        db_index=True, default=django.utils.timezone.now, verbose_name="created at"
                    ),
                ),
                ("times", models.PositiveIntegerField(default=1, verbose_name="times")),
                (
                    "last_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, verbose_name="last time at"
                    ),
                ),
                ("problems", models.JSONField(default=list, verbose_name="reasons")),
                ("name", models.CharField(blank=True, max_length=255, verbose_name="name")),
                ("email", models.CharField(blank=True, max_length=320, verbose_name="e-mail")),
                ("phone", models.CharField(blank=True, max_length=64, verbose_name="phone")),
                ("body", models.JSONField(default=dict, verbose_name="what was sent")),
                ("text", models.TextField(blank=True, verbose_name="what was sent")),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "submission",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="leads.submission",
                        verbose_name="sent on as",
                    ),
                ),
            ],
            options={
                "verbose_name": "refused form",
                "verbose_name_plural": "refused forms",
                "ordering": ("-created_at",),
            },
        ),
    ]
