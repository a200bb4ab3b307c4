"""Forms as operators make them, and those who send them for others."""

from __future__ import annotations

from contextlib import suppress

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from leads.forms import addresses, texts


class LandingForm(models.Model):
    """A form that landing pages send, and what becomes of it in the CRM.

    Read anew for each delivery, and every other second for those that come: what is changed here
    counts without a restart, also for what waits. Never deleted once something was sent.
    """

    #: Those that have addresses of their own, and stages in the settings.
    FIRST = ("proftest", "express")

    slug = models.SlugField(
        _("slug"),
        max_length=64,
        primary_key=True,
        help_text=_("Its address ends with this. It stays."),
    )
    title = models.CharField(_("title"), max_length=100, validators=[texts.validate_visible])
    is_active = models.BooleanField(
        _("switched on"),
        default=True,
        help_text=_("What is sent to a form that is not is refused, and kept."),
    )
    lead_name = models.CharField(
        _("lead's name"),
        max_length=200,
        default="{form}: {name}",
        validators=[texts.validate_lead_name],
        help_text=_("{form} is the title, {name} the person."),
    )
    stage = models.PositiveBigIntegerField(
        _("stage"),
        null=True,
        blank=True,
        help_text=_("The id of a stage of the pipeline. Empty: its first one."),
    )
    tags = models.CharField(
        _("tags"), max_length=500, blank=True, help_text=_("Separated by commas.")
    )
    responsible_user = models.PositiveBigIntegerField(
        _("responsible user"),
        null=True,
        blank=True,
        help_text=_("The id of a user of amoCRM, for new leads. Empty: amoCRM decides."),
    )
    allowed_origins = models.TextField(
        _("allowed origins"),
        blank=True,
        validators=[addresses.validate_origins],
        help_text=_(
            "Sites whose pages may send it by JavaScript, and to which visitors may be led: each"
            " on a line, as https://school.example. Those of the settings always may."
        ),
    )
    next_page = models.URLField(
        _("next page"),
        blank=True,
        max_length=500,
        validators=[addresses.validate_web_address],
        help_text=_("Where visitors go afterwards."),
    )

    class Meta:
        verbose_name = _("form")
        verbose_name_plural = _("forms")
        ordering = ("title", "slug")

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Origins become what browsers send; what is wrong with them is said already."""
        with suppress(ValidationError):
            self.allowed_origins = addresses.origins(self.allowed_origins)

    @property
    def keeps_all(self) -> bool:
        """Whether fields that nobody knows are answers. The pages of the first two forms were
        promised that they are ignored."""
        return self.slug not in self.FIRST

    def list_of_tags(self) -> tuple[str, ...]:
        """Its tags, one by one."""
        return tuple(tag.strip() for tag in self.tags.split(",") if tag.strip())

    def labelled(self) -> frozenset[str]:
        """The names of the fields that it has labels for."""
        return frozenset(self.fields.values_list("name", flat=True))

    def origins(self) -> frozenset[str]:
        """The origins of its pages, besides those of the settings."""
        return frozenset(self.allowed_origins.split())


class FormField(models.Model):
    """What a field of a form is called in the note."""

    form = models.ForeignKey(
        LandingForm, on_delete=models.CASCADE, related_name="fields", verbose_name=_("form")
    )
    name = models.CharField(
        _("name"), max_length=64, help_text=_("As the page sends it: name=… of the input.")
    )
    label = models.CharField(_("label"), max_length=200)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("field")
        verbose_name_plural = _("fields")
        ordering = ("position", "pk")
        constraints = (models.UniqueConstraint(fields=("form", "name"), name="one_label_a_field"),)

    def __str__(self) -> str:
        return self.label


class Sender(models.Model):
    """Who sends a form for its visitors, known by a key: its address is not theirs."""

    name = models.CharField(
        _("title"), max_length=100, unique=True, validators=[texts.validate_visible]
    )
    form = models.ForeignKey(
        LandingForm, on_delete=models.PROTECT, related_name="senders", verbose_name=_("form")
    )
    per_minute = models.PositiveIntegerField(
        _("forms a minute"),
        default=600,
        validators=[MinValueValidator(1)],
        help_text=_("What comes beyond that is answered 429."),
    )
    wants_200 = models.BooleanField(
        _("answer exactly 200"),
        default=False,
        help_text=_("Some senders take 202 for a failure."),
    )
    is_active = models.BooleanField(_("in use"), default=True)
    key_start = models.CharField(_("key begins with"), max_length=8, editable=False)
    key_digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def client(self) -> str:
        """What its submissions have for :attr:`Submission.client`."""
        return f"key:{self.pk}"
