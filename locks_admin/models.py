"""The locks as Django sees them: no table, but permissions, a place in the sidebar and a log."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class _NoRows(models.Manager["Lock"]):
    """There is no table to ask: whoever walks all models (``dumpdata``) finds nothing here."""

    def get_queryset(self) -> models.QuerySet[Lock]:
        return super().get_queryset().none()


class Lock(models.Model):
    """A lock in Redis. Never stored, never queried: it names things for the admin."""

    name = models.CharField(_("lock"), max_length=512, primary_key=True)

    objects = _NoRows()

    class Meta:
        managed = False
        default_permissions = ("view", "delete")
        verbose_name = _("lock")
        verbose_name_plural = _("locks")

    def __str__(self) -> str:
        return self.name
