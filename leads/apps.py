from corsheaders.signals import check_request_enabled
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LeadsConfig(AppConfig):
    name = "leads"
    verbose_name = _("Leads")

    def ready(self) -> None:
        """Let the forms' own pages in."""
        from leads.forms import cross_origin

        check_request_enabled.connect(cross_origin.is_allowed, dispatch_uid="landing forms")
