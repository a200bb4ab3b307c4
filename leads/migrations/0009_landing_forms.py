"""Forms are rows: the two that were choices become the first ones, as the code had them."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

import leads.forms.addresses
import leads.forms.texts

FORMS = (
    {"slug": "proftest", "title": "Профтест", "tags": "Профтест"},
    {"slug": "express", "title": "Экспресс-курс", "tags": "Экспресс-курс"},
)


def add_forms(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    forms = apps.get_model("leads", "LandingForm").objects.using(schema_editor.connection.alias)
    for form in FORMS:
        forms.get_or_create(slug=form["slug"], defaults=form)


class Migration(migrations.Migration):
    dependencies = [
        ("leads", "0008_client"),
    ]

    operations = [
        migrations.CreateModel(
            name="LandingForm",
            fields=[
                (
                    "slug",
                    models.SlugField(
                        help_text="Its address ends with this. It stays.",
                        max_length=64,
                        primary_key=True,
                        serialize=False,
                        verbose_name="slug",
                    ),
                ),
                (
                    "title",
                    models.CharField(
                        max_length=100,
                        validators=[leads.forms.texts.validate_visible],
                        verbose_name="title",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="What is sent to a form that is not is refused, and kept.",
                        verbose_name="switched on",
                    ),
                ),
                (
                    "lead_name",
                    models.CharField(
                        default="{form}: {name}",
                        help_text="{form} is the title, {name} the person.",
                        max_length=200,
                        validators=[leads.forms.texts.validate_lead_name],
                        verbose_name="lead's name",
                    ),
                ),
                (
                    "stage",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="The id of a stage of the pipeline. Empty: its first one.",
                        null=True,
                        verbose_name="stage",
                    ),
                ),
                (
                    "tags",
                    models.CharField(
                        blank=True,
                        help_text="Separated by commas.",
                        max_length=500,
                        verbose_name="tags",
                    ),
                ),
                (
                    "responsible_user",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="The id of a user of amoCRM, for new leads. Empty: amoCRM decides.",
                        null=True,
                        verbose_name="responsible user",
                    ),
                ),
                (
                    "allowed_origins",
                    models.TextField(
                        blank=True,
                        help_text="Sites whose pages may send it by JavaScript, and to which visitors may be led: each on a line, as https://school.example. Those of the settings always may.",
                        validators=[leads.forms.addresses.validate_origins],
                        verbose_name="allowed origins",
                    ),
                ),
                (
                    "next_page",
                    models.URLField(
                        blank=True,
                        help_text="Where visitors go afterwards.",
                        max_length=500,
                        validators=[django.core.validators.URLValidator(schemes=["http", "https"])],
                        verbose_name="next page",
                    ),
                ),
            ],
            options={
                "verbose_name": "form",
                "verbose_name_plural": "forms",
                "ordering": ("title", "slug"),
            },
        ),
        migrations.RunPython(add_forms, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="refusedform",
            name="form",
            field=models.ForeignKey(
                db_column="form",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="leads.landingform",
                verbose_name="form",
            ),
        ),
        migrations.AlterField(
            model_name="submission",
            name="form",
            field=models.ForeignKey(
                db_column="form",
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="leads.landingform",
                verbose_name="form",
            ),
        ),
        migrations.CreateModel(
            name="FormField",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        help_text="As the page sends it: name=… of the input.",
                        max_length=64,
                        verbose_name="name",
                    ),
                ),
                ("label", models.CharField(max_length=200, verbose_name="label")),
                ("position", models.PositiveSmallIntegerField(default=0, verbose_name="position")),
                (
                    "form",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="fields",
                        to="leads.landingform",
                        verbose_name="form",
                    ),
                ),
            ],
            options={
                "verbose_name": "field",
                "verbose_name_plural": "fields",
                "ordering": ("position", "pk"),
                "constraints": [
                    models.UniqueConstraint(fields=("form", "name"), name="one_label_a_field")
                ],
            },
        ),
    ]
