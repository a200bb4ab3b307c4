from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _


class AmocrmConfig(AppConfig):
    name = "amocrm"
    verbose_name = _("amoCRM")

    def ready(self) -> None:
        """Register the system checks, and how to wait for the database."""
        from amocrm.diagnostics import checks  # noqa: F401 - the import registers them
        from amocrm.write_turns import ask_often

        connection_created.connect(ask_often)
