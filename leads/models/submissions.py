"""The queue of record: submissions and every attempt to deliver them."""

from __future__ import annotations

import uuid
from functools import cached_property

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from amocrm.identity import IdentityKey, identities
from leads import conf
from leads.models.forms import LandingForm


class Submission(models.Model):
    """One accepted form. Committed before its 202, kept for good."""

    class Status(models.TextChoices):
        ACCEPTED = "accepted", _("accepted")
        DELIVERED = "delivered", _("delivered")
        FAILED = "failed", _("failed")
        QUARANTINED = "quarantined", _("quarantined")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    form = models.ForeignKey(
        LandingForm,
        on_delete=models.PROTECT,
        db_column="form",
        db_index=False,  # the constraints below begin with it
        related_name="+",
        verbose_name=_("form"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now)
    # Whose limit it counts against: an address, an IPv6 network, or the name of a sender's key.
    # Empty for what came before this was kept. The database knows the default: see `remarks`.
    client = models.CharField(_("sent from"), max_length=64, blank=True, db_default="")
    # Who is due is delivered in this order: leads.delivery.fairness.
    turn_at = models.DateTimeField(default=timezone.now, db_default=Now(), editable=False)

    # What was sent, as it was sent, less what nobody can see.
    name = models.CharField(_("name"), max_length=255, blank=True)
    email = models.CharField(_("e-mail"), max_length=320, blank=True)
    phone = models.CharField(_("phone"), max_length=64, blank=True)
    source = models.CharField(_("source"), max_length=255, blank=True)
    campaign_slug = models.CharField(_("campaign"), max_length=255, blank=True)
    payment_method = models.CharField(_("payment method"), max_length=16, blank=True)
    answers = models.JSONField(_("answers"), default=dict, blank=True)
    utm = models.JSONField(_("UTM"), default=dict, blank=True)
    metadata = models.JSONField(_("metadata"), default=dict, blank=True)
    # What of it was not read as it was sent: leads.remarks. The database knows the default, too: a
    # process of the version before goes on accepting forms until it is started anew.
    remarks = models.JSONField(
        _("remarks"), default=list, db_default=models.Value([], models.JSONField()), blank=True
    )

    # Text, time and page of the visitor's consent, as far as they were sent.
    consent = models.JSONField(
        _("consent"), default=dict, db_default=models.Value({}, models.JSONField()), blank=True
    )

    # Idempotency, as the landing asked for it. No key is NULL: those never collide.
    idempotency_key = models.CharField(  # noqa: DJ001
        max_length=255, null=True, blank=True, editable=False
    )
    body_digest = models.CharField(max_length=64, blank=True, editable=False)
    # How many there were before it with the same body and no key. NULL where nobody asked.
    repetition = models.PositiveIntegerField(null=True, blank=True, editable=False)

    # Where its delivery stands.
    status = models.CharField(
        _("status"), max_length=11, choices=Status.choices, default=Status.ACCEPTED
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    # A batch has put it aside: it goes by itself until it is delivered or failed.
    alone = models.BooleanField(default=False, db_default=False, editable=False)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    lease_token = models.CharField(_("leased by"), max_length=128, blank=True)
    waiting_for = models.CharField(_("waiting for lock"), max_length=512, blank=True)
    waiting_since = models.DateTimeField(_("waiting since"), null=True, blank=True)
    reason = models.TextField(_("why it is not delivered yet"), blank=True)
    lead_id = models.BigIntegerField(_("lead"), null=True, blank=True)
    action = models.CharField(_("action"), max_length=7, blank=True)
    note_sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When amoCRM did not answer the last attempt, or answered with 5xx or 429.
    unanswered_at = models.DateTimeField(null=True, blank=True, editable=False)
    # When the next attempt is by its own schedule, while an extra one is made before it.
    scheduled_at = models.DateTimeField(null=True, blank=True, editable=False)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("form", "idempotency_key"), name="one_submission_a_key"
            ),
            models.UniqueConstraint(
                fields=("form", "body_digest", "repetition"), name="one_submission_a_repetition"
            ),
        )
        indexes = (
            models.Index(fields=("status", "turn_at", "next_attempt_at")),
            models.Index(fields=("waiting_for",)),
            models.Index(fields=("delivered_at",)),
            models.Index(fields=("client", "created_at")),
            # In a crowd each success would look through everybody who is due.
            models.Index(
                fields=("unanswered_at",),
                condition=models.Q(unanswered_at__isnull=False),
                name="leads_unanswered",
            ),
        )

    def __str__(self) -> str:
        return f"{self.form_id} {self.id}"

    @property
    def told_status(self) -> str:
        """What anybody is told: whoever is in quarantine is not to know."""
        is_kept_back = self.status == self.Status.QUARANTINED
        return str(self.Status.ACCEPTED if is_kept_back else self.status)

    @cached_property
    def named(self) -> frozenset[IdentityKey]:
        """The e-mail and phone as the CRM and the log know them."""
        region = conf.current().phone_region
        return identities(emails=[self.email], phones=[self.phone], region=region)

    def last_failure(self) -> str:
        """The error of the last attempt that failed; nothing if none did."""
        failed = self.delivery_attempts.exclude(outcome__in=DeliveryAttempt.NOT_FAILED)
        return failed.order_by("-pk").values_list("error", flat=True).first() or ""

    def lost_writes(self) -> int:
        """How many attempts have sent a write that met no answer."""
        unknown = self.delivery_attempts.filter(outcome=DeliveryAttempt.Outcome.UNKNOWN)
        return unknown.count() if self.attempts else 0


class DeliveryAttempt(models.Model):
    """One attempt to deliver a submission, whatever came of it.

    Attempts that came back for one reason, one after another, are one row: ``times`` of them, the
    first at ``started_at`` and, where there are several, the latest at ``last_at``.
    """

    class Outcome(models.TextChoices):
        DELIVERED = "delivered", _("delivered")
        COME_BACK = "come_back", _("come back")
        RETRY = "retry", _("retry")
        UNKNOWN = "unknown", _("outcome unknown")
        PAUSED = "paused", _("account paused")
        REFUSED = "refused", _("refused")
        CRASHED = "crashed", _("crashed")

    #: What came back is made again, as the same attempt.
    CAME_BACK = (Outcome.COME_BACK, Outcome.PAUSED)
    NOT_FAILED = (Outcome.DELIVERED, *CAME_BACK)

    submission = models.ForeignKey(
        Submission,
        on_delete=models.CASCADE,
        related_name="delivery_attempts",
        verbose_name=_("submission"),
    )
    started_at = models.DateTimeField(_("started at"))
    times = models.PositiveIntegerField(_("times"), default=1)
    last_at = models.DateTimeField(_("last time at"), null=True, blank=True)
    duration_ms = models.PositiveIntegerField(_("duration, ms"))
    outcome = models.CharField(_("outcome"), max_length=9, choices=Outcome.choices)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    request_id = models.CharField(_("amoCRM request id"), max_length=128, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("delivery attempt")
        verbose_name_plural = _("delivery attempts")
        ordering = ("started_at",)

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M:%S} {self.outcome}"
