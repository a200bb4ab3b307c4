"""Which refused forms make room for others first."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0012_fairness"),
    ]

    operations = [
        migrations.AddField(
            model_name="refusedform",
            name="worth",
            # Those that are there already are taken for people: the newest of them stay.
            field=models.PositiveSmallIntegerField(db_default=2, default=0, editable=False),
        ),
    ]
