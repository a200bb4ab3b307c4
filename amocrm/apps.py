from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AmocrmConfig(AppConfig):
    name = "amocrm"
    verbose_name = _("amoCRM")

    def ready(self) -> None:
        """Register the system checks."""
        from amocrm.diagnostics import checks  # noqa: F401 - the import registers them
