"""The ledger of who is who in the CRM, and the state of the account.

Only :mod:`amocrm.ledger` writes ``Person`` and ``Identity``; only :mod:`amocrm.api.pause`
writes ``AccountState``.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Person(models.Model):
    """Somebody in one amoCRM account: everything that has been named together.

    ``version`` rises with every write, and every write is conditional on it.
    ``creating_since`` is set while a lead may be on its way to the CRM and nobody knows yet;
    ``next_look_at`` is when it is worth looking for that again.
    """

    account = models.CharField(_("account"), max_length=255)
    lock_name = models.CharField(_("lock"), max_length=512)
    lead_id = models.BigIntegerField(_("lead"), null=True, blank=True)
    lead_recorded_at = models.DateTimeField(_("lead recorded at"), null=True, blank=True)
    version = models.PositiveBigIntegerField(_("version"), default=0)
    creating_since = models.DateTimeField(_("creating since"), null=True, blank=True)
    creating_ref = models.CharField(_("created for"), max_length=255, blank=True)
    next_look_at = models.DateTimeField(null=True, blank=True, editable=False)
    merged_into = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="absorbed",
        verbose_name=_("merged into"),
    )

    class Meta:
        verbose_name = _("person")
        verbose_name_plural = _("people")
        indexes = (models.Index(fields=("account", "lead_id")),)

    def __str__(self) -> str:
        return self.lock_name


class Identity(models.Model):
    """One e-mail, phone or amoCRM contact of a person. Nobody else can have it.

    ``on_contact``: one of the person's contacts in the CRM carries it, and other leads of whoever
    does are known. ``is_ignored``: it identifies nobody, see :class:`IgnoredIdentity`.
    """

    class Kind(models.TextChoices):
        EMAIL = "email", _("e-mail")
        PHONE = "phone", _("phone")
        CONTACT = "contact", _("contact")

    account = models.CharField(_("account"), max_length=255)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=320)
    on_contact = models.BooleanField(_("on a contact"), default=False)
    is_ignored = models.BooleanField(_("ignored"), default=False, db_default=False)
    person = models.ForeignKey(
        Person, on_delete=models.PROTECT, related_name="identities", verbose_name=_("person")
    )

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = (
            models.UniqueConstraint(fields=("account", "kind", "value"), name="one_person_each"),
        )

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class IgnoredIdentity(models.Model):
    """An e-mail or phone that identifies nobody any more: an operator said so, or it named too
    many. It stays on contacts and in notes."""

    class Kind(models.TextChoices):
        EMAIL = Identity.Kind.EMAIL.value, Identity.Kind.EMAIL.label
        PHONE = Identity.Kind.PHONE.value, Identity.Kind.PHONE.label

    account = models.CharField(_("account"), max_length=255)
    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=320)
    reason = models.TextField(_("reason"), blank=True)
    # Empty where the service has found it out by itself.
    added_by = models.CharField(_("added by"), max_length=150, blank=True)
    added_at = models.DateTimeField(_("added at"), auto_now_add=True)
    people = models.PositiveIntegerField(_("people named"), null=True, blank=True)

    class Meta:
        verbose_name = _("ignored identity")
        verbose_name_plural = _("ignored identities")
        constraints = (
            models.UniqueConstraint(fields=("account", "kind", "value"), name="ignored_once"),
        )

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


class NamedTogether(models.Model):
    """An e-mail and a phone that one form has named: what counts how many an identity names."""

    account = models.CharField(max_length=255)
    email = models.CharField(max_length=320)
    phone = models.CharField(max_length=320)
    first_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("account", "email", "phone"), name="one_row_a_pair"),
        )
        indexes = (models.Index(fields=("account", "phone")),)

    def __str__(self) -> str:
        return f"{self.email} {self.phone}"


class MergeProposal(models.Model):
    """Two people who may be one, and what was decided about them: ``older`` has the lower id.

    Whoever has a row here that is not confirmed stays apart, whatever names them together.
    """

    class State(models.TextChoices):
        OPEN = "open", _("to be decided")
        CONFIRMED = "confirmed", _("one person")
        REFUSED = "refused", _("two people")

    older = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="+", verbose_name=_("person")
    )
    newer = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="+", verbose_name=_("other person")
    )
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.OPEN)
    proposed_at = models.DateTimeField(_("proposed at"), auto_now_add=True)
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    # Kept by name: whoever it was may leave. Empty where the service decided.
    decided_by = models.CharField(_("decided by"), max_length=150, blank=True)
    reason = models.TextField(_("reason"), blank=True)

    class Meta:
        verbose_name = _("merge proposal")
        verbose_name_plural = _("merge proposals")
        constraints = (
            models.UniqueConstraint(fields=("older", "newer"), name="one_proposal_a_pair"),
            models.CheckConstraint(
                condition=models.Q(older__lt=models.F("newer")), name="older_first"
            ),
        )

    def __str__(self) -> str:
        return f"{self.older} / {self.newer}"


class DuplicateLead(models.Model):
    """Another lead of a person beside the recorded one: shown to operators, never hidden."""

    class Origin(models.TextChoices):
        MERGED = "merged", _("two people turned out to be one")
        FOUND = "found", _("was there already")
        SUPERSEDED = "superseded", _("made at the same moment by us")

    class State(models.TextChoices):
        UNCHECKED = "unchecked", _("not looked at yet")
        ACTIVE = "active", _("still active")
        SUPERSEDED = "superseded", _("to be closed by us")
        CLOSED = "closed", _("closed")

    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="duplicates", verbose_name=_("person")
    )
    lead_id = models.BigIntegerField(_("lead"))
    origin = models.CharField(_("origin"), max_length=10, choices=Origin.choices)
    state = models.CharField(
        _("state"), max_length=10, choices=State.choices, default=State.UNCHECKED
    )
    found_at = models.DateTimeField(_("found at"), auto_now_add=True)
    # An operator has done what there was to do. Kept by name: whoever it was may leave.
    dealt_with_at = models.DateTimeField(_("dealt with at"), null=True, blank=True)
    dealt_with_by = models.CharField(_("dealt with by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("duplicate lead")
        verbose_name_plural = _("duplicate leads")
        constraints = (
            models.UniqueConstraint(fields=("person", "lead_id"), name="one_row_a_duplicate"),
        )

    def __str__(self) -> str:
        return str(self.lead_id)


class DuplicateSearch(models.Model):
    """The last search for people with more than one active lead. One row an account.

    The figures are those of the last search that came to its end: ``strangers`` are those of the
    ``people`` whom the ledger does not know. ``error`` says why a later one did not end.
    """

    account = models.CharField(max_length=255, unique=True)
    finished_at = models.DateTimeField(null=True)
    active_leads = models.PositiveIntegerField(default=0)
    people = models.PositiveIntegerField(default=0)
    strangers = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.account


class MirrorEntry(models.Model):
    """One e-mail or phone that a contact in the CRM carries, as a keyed digest: nobody can read
    from it who that is. ``seen_at`` is when amoCRM last showed it, by amoCRM's clock.

    Only :mod:`amocrm.mirror` writes it, and :class:`MirrorState`.
    """

    account = models.CharField(max_length=255)
    digest = models.CharField(max_length=32)
    contact_id = models.BigIntegerField()
    seen_at = models.DateTimeField()

    class Meta:
        # Its index is also the one for looking up a digest.
        constraints = (
            models.UniqueConstraint(
                fields=("account", "digest", "contact_id"), name="mirrored_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.digest} {self.contact_id}"


class MirrorState(models.Model):
    """How far an account's mirror may be relied upon. One row an account.

    ``key`` tells which key its digests are made with. ``walking_at`` is when somebody was last seen
    walking all contacts, ``walked_at`` when that was last completed: empty while the mirror is not
    whole. By amoCRM's clock are ``walk_began_at``, when the last complete walk began, and
    ``read_at``: every change made before that moment is in the mirror. ``lie`` is what it missed.
    """

    account = models.CharField(max_length=255, unique=True)
    key = models.CharField(max_length=32, blank=True)
    walking_at = models.DateTimeField(null=True)
    walked_at = models.DateTimeField(null=True)
    walk_began_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)
    comparisons = models.PositiveBigIntegerField(default=0)
    lied_at = models.DateTimeField(null=True)
    lie = models.CharField(max_length=255, blank=True)
    lied_about = models.BigIntegerField(null=True)  # a contact

    def __str__(self) -> str:
        return self.account


class Reminder(models.Model):
    """When something that lasts was last said in the log. One row for each such thing."""

    name = models.CharField(max_length=64, unique=True)
    said_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class AccountState(models.Model):
    """Whether the account may be asked now. One row an account."""

    account = models.CharField(_("account"), max_length=255, unique=True)
    backoff_until = models.DateTimeField(_("backing off until"), null=True, blank=True)
    rate_limited_at = models.JSONField(_("rate limited at"), default=list, blank=True)
    paused_since = models.DateTimeField(_("paused since"), null=True, blank=True)
    pause_kind = models.CharField(_("kind of pause"), max_length=32, blank=True)
    pause_reason = models.TextField(_("reason"), blank=True)
    next_probe_at = models.DateTimeField(_("next probe at"), null=True, blank=True)
    probes = models.PositiveIntegerField(_("probes"), default=0)
    # The lead, contact or submission that we may not touch: one alone is its own trouble.
    forbidden = models.CharField(max_length=128, blank=True, editable=False)
    forbidden_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("account state")
        verbose_name_plural = _("account states")

    def __str__(self) -> str:
        return self.account


class AccountBatches(models.Model):
    """How the account takes several leads at once: :mod:`amocrm.ledger.whole_refusals`.

    ``refuses_whole``: whether one wrong row keeps all others from being made; ``None`` until it was
    seen. ``doubted``: the submissions of which nobody knows yet.
    """

    account = models.CharField(max_length=255, unique=True)
    refuses_whole = models.BooleanField(null=True)
    doubted = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.account


class EventCount(models.Model):
    """How often something unusual happened on one UTC day."""

    day = models.DateField(_("day"))
    event = models.CharField(_("event"), max_length=32)
    count = models.PositiveBigIntegerField(_("count"), default=0)

    class Meta:
        verbose_name = _("event count")
        verbose_name_plural = _("event counts")
        constraints = (models.UniqueConstraint(fields=("day", "event"), name="one_count_a_day"),)

    def __str__(self) -> str:
        return f"{self.day} {self.event}: {self.count}"
