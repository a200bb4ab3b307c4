"""People who may be one, and what identifies nobody."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("amocrm", "0006_duplicates_dealt_with"),
    ]

    operations = [
        migrations.AddField(
            model_name="identity",
            name="is_ignored",
            # Until every process is of this version, those before it enter rows, too.
            field=models.BooleanField(db_default=False, default=False, verbose_name="ignored"),
        ),
        migrations.CreateModel(
            name="IgnoredIdentity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.CharField(max_length=255, verbose_name="account")),
                (
                    "kind",
                    models.CharField(
                        choices=[("email", "e-mail"), ("phone", "phone")],
                        max_length=7,
                        verbose_name="kind",
                    ),
                ),
                ("value", models.CharField(max_length=320, verbose_name="value")),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                ("added_by", models.CharField(blank=True, max_length=150, verbose_name="added by")),
                ("added_at", models.DateTimeField(auto_now_add=True, verbose_name="added at")),
                (
                    "people",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="people named"),
                ),
            ],
            options={
                "verbose_name": "ignored identity",
                "verbose_name_plural": "ignored identities",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "kind", "value"), name="ignored_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="NamedTogether",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.CharField(max_length=255)),
                ("email", models.CharField(max_length=320)),
                ("phone", models.CharField(max_length=320)),
                ("first_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["account", "phone"], name="amocrm_name_account_f8bc87_idx")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "email", "phone"), name="one_row_a_pair"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MergeProposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "to be decided"),
                            ("confirmed", "one person"),
                            ("refused", "two people"),
                        ],
                        default="open",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                (
                    "proposed_at",
                    models.DateTimeField(auto_now_add=True, verbose_name="proposed at"),
                ),
                (
                    "decided_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="decided at"),
                ),
                (
                    "decided_by",
                    models.CharField(blank=True, max_length=150, verbose_name="decided by"),
                ),
                ("reason", models.TextField(blank=True, verbose_name="reason")),
                (
                    "newer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="amocrm.person",
                        verbose_name="other person",
                    ),
                ),
                (
                    "older",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="amocrm.person",
                        verbose_name="person",
                    ),
                ),
            ],
            options={
                "verbose_name": "merge proposal",
                "verbose_name_plural": "merge proposals",
                "constraints": [
                    models.UniqueConstraint(fields=("older", "newer"), name="one_proposal_a_pair"),
                    models.CheckConstraint(
                        condition=models.Q(("older__lt", models.F("newer"))), name="older_first"
                    ),
                ],
            },
        ),
    ]
