"""The locks' JSON endpoints, in full: nothing redirects, nothing ends with a slash."""

from __future__ import annotations

from django.urls import path

from locks_admin import api

urlpatterns = [
    path("api/admin/amocrm-locks/status", api.StatusView.as_view(), name="amocrm-locks-status"),
    path("api/admin/amocrm-locks/history", api.HistoryView.as_view(), name="amocrm-locks-history"),
    path("api/admin/amocrm-locks", api.LockListView.as_view(), name="amocrm-locks"),
    path("api/admin/amocrm-locks/<path:key>", api.LockView.as_view(), name="amocrm-lock"),
]
