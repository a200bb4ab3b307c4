"""After an outage what failed in it is tried once more, besides its own schedule."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0003_counted_attempts"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="scheduled_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="submission",
            name="unanswered_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="submission",
            index=models.Index(fields=["delivered_at"], name="leads_submi_deliver_612d42_idx"),
        ),
    ]
