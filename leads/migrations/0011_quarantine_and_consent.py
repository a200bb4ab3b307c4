"""What looks like a program's is kept back; consent is kept."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0010_senders"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="consent",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                verbose_name="consent",
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="status",
            field=models.CharField(
                choices=[
                    ("accepted", "accepted"),
                    ("delivered", "delivered"),
                    ("failed", "failed"),
                    ("quarantined", "quarantined"),
                ],
                default="accepted",
                max_length=11,
                verbose_name="status",
            ),
        ),
    ]
