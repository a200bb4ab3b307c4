from corsheaders.signals import check_request_enabled
from django.apps import AppConfig
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext_lazy as _


class LeadsConfig(AppConfig):
    name = "leads"
    verbose_name = _("Leads")

    def ready(self) -> None:
        """Let the forms' own pages in, and forget a form that was changed."""
        from leads.forms import cross_origin, known
        from leads.models import LandingForm

        check_request_enabled.connect(cross_origin.is_allowed, dispatch_uid="landing forms")
        for changed in (post_save, post_delete):
            changed.connect(known.forget, sender=LandingForm, dispatch_uid="known forms")
