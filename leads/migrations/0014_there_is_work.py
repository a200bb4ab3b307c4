"""A message says only that there is work, and several submissions may be delivered together.

The code no longer knows `dispatched_at`. The column stays for this release, so that processes of
the version before, which go on accepting forms until they are started anew, can still write it; the
next release may drop it. `alone` comes first: SQLite makes a table anew for it, out of the fields
that the models have at that point.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0013_refused_kinds"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="alone",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveField(model_name="submission", name="dispatched_at"),
            ],
        ),
    ]
