"""The locks' JSON endpoints, in full: nothing redirects, nothing ends with a slash."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from locks_admin.api import views


class KeyConverter(StringConverter):
    """A Redis key may hold anything, slashes and line feeds included."""

    regex = "(?s:.+)"


register_converter(KeyConverter, "lock_key")

urlpatterns = [
    path("api/admin/amocrm-locks/status", views.StatusView.as_view(), name="amocrm-locks-status"),
    path(
        "api/admin/amocrm-locks/history", views.HistoryView.as_view(), name="amocrm-locks-history"
    ),
    path("api/admin/amocrm-locks", views.LockListView.as_view(), name="amocrm-locks"),
    path("api/admin/amocrm-locks/<lock_key:key>", views.LockView.as_view(), name="amocrm-lock"),
]
