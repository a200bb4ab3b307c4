"""The same body again within moments is one submission."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0006_refused_forms"),
    ]

    operations = [
        migrations.AddField(
            model_name="submission",
            name="repetition",
            field=models.PositiveIntegerField(blank=True, editable=False, null=True),
        ),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.UniqueConstraint(
                fields=("form", "body_digest", "repetition"), name="one_submission_a_repetition"
            ),
        ),
    ]
