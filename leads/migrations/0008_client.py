"""Who sent a submission, so that one sender cannot delay everybody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0007_repetitions"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="client",
            field=models.CharField(
                blank=True, db_default="", max_length=64, verbose_name="sent from"
            ),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(
                fields=["client", "created_at"], name="leads_submi_client_71ef58_idx"
            ),
        ),
    ]
