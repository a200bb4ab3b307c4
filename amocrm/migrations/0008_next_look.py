"""When it is worth looking again for a lead that may be on its way."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("amocrm", "0007_merge_proposals"),
    ]

    operations = [
        migrations.AddField(
            model_name="person",
            name="next_look_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
