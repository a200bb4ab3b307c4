"""Error pages without passwords."""

from __future__ import annotations

from typing import Any

from django.views.debug import SafeExceptionReporterFilter

from config.privacy import without_credentials


class NoCredentials(SafeExceptionReporterFilter):
    """Settings as Django shows them, and without the passwords inside of URLs."""

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """``value`` as it may be shown."""
        value = super().cleanse_setting(key, value)
        return without_credentials(value) if isinstance(value, str) else value
