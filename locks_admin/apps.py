from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LocksAdminConfig(AppConfig):
    name = "locks_admin"
    verbose_name = _("Locks")
