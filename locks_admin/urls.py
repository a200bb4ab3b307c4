"""The locks' JSON endpoints, in full: nothing redirects, nothing ends with a slash."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from locks_admin import api


class KeyConverter(StringConverter):
    """A Redis key may hold anything, slashes and line feeds included."""

    regex = "(?s:.+)"


register_converter(KeyConverter, "lock_key")

urlpatterns = [
    path("api/admin/amocrm-locks/status", api.StatusView.as_view(), name="amocrm-locks-status"),
    path("api/admin/amocrm-locks/history", api.HistoryView.as_view(), name="amocrm-locks-history"),
    path("api/admin/amocrm-locks", api.LockListView.as_view(), name="amocrm-locks"),
    path("api/admin/amocrm-locks/<lock_key:key>", api.LockView.as_view(), name="amocrm-lock"),
]
