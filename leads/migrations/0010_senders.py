"""Senders have keys, and limits of their own."""

import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import leads.forms.texts


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0009_landing_forms"),
    ]

    operations = [
        migrations.CreateModel(
            name="Sender",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        max_length=100,
                        unique=True,
                        validators=[leads.forms.texts.validate_visible],
                        verbose_name="title",
                    ),
                ),
                (
                    "per_minute",
                    models.PositiveIntegerField(
                        default=600,
                        help_text="What comes beyond that is answered 429.",
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="forms a minute",
                    ),
                ),
                (
                    "wants_200",
                    models.BooleanField(
                        default=False,
                        help_text="Some senders take 202 for a failure.",
                        verbose_name="answer exactly 200",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="in use")),
                (
                    "key_start",
                    models.CharField(editable=False, max_length=8, verbose_name="key begins with"),
                ),
                ("key_digest", models.CharField(editable=False, max_length=64, unique=True)),
                (
                    "created_at",
                    models.DateTimeField(
                        default=django.utils.timezone.now, editable=False, verbose_name="made at"
                    ),
                ),
                (
                    "form",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="senders",
                        to="leads.landingform",
                        verbose_name="form",
                    ),
                ),
            ],
            options={
                "verbose_name": "sender",
                "verbose_name_plural": "senders",
                "ordering": ("name",),
            },
        ),
    ]
