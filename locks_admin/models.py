"""The locks as Django sees them: no table, but permissions, a place in the sidebar and a log."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Lock(models.Model):
    """A lock in Redis. Never stored, never queried: it names things for the admin."""

    name = models.CharField(_("lock"), max_length=512, primary_key=True)

    class Meta:
        managed = False
        default_permissions = ("view", "delete")
        verbose_name = _("lock")
        verbose_name_plural = _("locks")

    def __str__(self) -> str:
        return self.name
