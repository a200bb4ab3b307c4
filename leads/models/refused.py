"""What was answered with an error."""

from __future__ import annotations

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from leads.models.forms import LandingForm
from leads.models.submissions import Submission


class RefusedForm(models.Model):
    """A form that was answered with an error, kept within bounds for an operator to mend.

    One that is sent again and again is one row: ``times`` of them, the latest at ``last_at``.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    form = models.ForeignKey(  # none where it was sent to an address that there is not
        LandingForm,
        on_delete=models.PROTECT,
        db_column="form",
        null=True,
        related_name="+",
        verbose_name=_("form"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, db_index=True)
    times = models.PositiveIntegerField(_("times"), default=1)
    last_at = models.DateTimeField(_("last time at"), default=timezone.now)
    # Why, as leads.remarks.
    problems = models.JSONField(_("reasons"), default=list)
    # Who it is, as far as it says; an operator completes it.
    name = models.CharField(_("name"), max_length=255, blank=True)
    email = models.CharField(_("e-mail"), max_length=320, blank=True)
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    # What was sent: an object, or a text where it could not be read as one.
    body = models.JSONField(_("what was sent"), default=dict)
    text = models.TextField(_("what was sent"), blank=True)
    # Those that are worth less make room for others first: leads.refused.keeping. Rows from before
    # that was asked, and of an older version beside this one, are taken for people.
    worth = models.PositiveSmallIntegerField(default=0, db_default=2, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    submission = models.ForeignKey(
        Submission,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("sent on as"),
    )

    class Meta:
        verbose_name = _("refused form")
        verbose_name_plural = _("refused forms")
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{self.form_id or '?'} {self.created_at:%Y-%m-%d %H:%M:%S}"
