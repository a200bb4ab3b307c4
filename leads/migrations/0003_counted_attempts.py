"""Attempts that came back for one reason are one row with a count."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0002_standard_words"),
    ]

    operations = [
        migrations.AddField(
            model_name="deliveryattempt",
            name="last_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="last time at"),
        ),
        migrations.AddField(
            model_name="deliveryattempt",
            name="times",
            field=models.PositiveIntegerField(default=1, verbose_name="times"),
        ),
    ]
