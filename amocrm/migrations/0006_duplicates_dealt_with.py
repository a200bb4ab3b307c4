"""Duplicates that were dealt with, what the last search found, and what was said when."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("amocrm", "0005_forbidden"),
    ]

    operations = [
        migrations.CreateModel(
            name="DuplicateSearch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("account", models.CharField(max_length=255, unique=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("active_leads", models.PositiveIntegerField(default=0)),
                ("people", models.PositiveIntegerField(default=0)),
                ("strangers", models.PositiveIntegerField(default=0)),
                ("failed_at", models.DateTimeField(null=True)),
                ("error", models.TextField(blank=True)),
            ],
        ),
        migrations.CreateModel(
            name="Reminder",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, unique=True)),
                ("said_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="duplicatelead",
            name="dealt_with_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="dealt with at"),
        ),
        migrations.AddField(
            model_name="duplicatelead",
            name="dealt_with_by",
            field=models.CharField(blank=True, max_length=150, verbose_name="dealt with by"),
        ),
    ]
