"""What was forbidden last: a second, different thing pauses the account."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("amocrm", "0004_identity_on_contact")]

    operations = [
        migrations.AddField(
            "accountstate",
            "forbidden",
            models.CharField(blank=True, editable=False, max_length=128),
        ),
        migrations.AddField(
            "accountstate",
            "forbidden_at",
            models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
