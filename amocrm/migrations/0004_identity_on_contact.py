"""Whether the CRM is known to have an e-mail or phone; of those there are, nobody knows yet."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("amocrm", "0003_standard_choices")]

    operations = [
        migrations.AddField(
            "identity",
            "on_contact",
            models.BooleanField(default=False, verbose_name="on a contact"),
        ),
    ]
