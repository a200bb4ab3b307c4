"""What was wrong with an accepted form stands beside it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0004_extra_attempts"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="remarks",
            field=models.JSONField(
                blank=True,
                db_default=models.Value([], models.JSONField()),
                default=list,
                verbose_name="remarks",
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="name",
            field=models.CharField(blank=True, max_length=255, verbose_name="name"),
        ),
    ]
