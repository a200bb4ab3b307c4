"""What the contacts of the CRM carry, as keyed digests."""

from django.db import migrations, models

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    dependencies = [
        ("amocrm", "0008_next_look"),
    ]

    operations = [
        migrations.CreateModel(
            name="MirrorEntry",
            fields=[
                ("id", ID.clone()),
                ("account", models.CharField(max_length=255)),
                ("digest", models.CharField(max_length=32)),
                ("contact_id", models.BigIntegerField()),
                ("seen_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("account", "digest", "contact_id"), name="mirrored_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="MirrorState",
            fields=[
                ("id", ID.clone()),
                ("account", models.CharField(max_length=255, unique=True)),
                ("key", models.CharField(blank=True, max_length=32)),
                ("walking_at", models.DateTimeField(null=True)),
                ("walked_at", models.DateTimeField(null=True)),
                ("walk_began_at", models.DateTimeField(null=True)),
                ("read_at", models.DateTimeField(null=True)),
                ("comparisons", models.PositiveBigIntegerField(default=0)),
                ("lied_at", models.DateTimeField(null=True)),
                ("lie", models.CharField(blank=True, max_length=255)),
                ("lied_about", models.BigIntegerField(null=True)),
            ],
        ),
    ]
