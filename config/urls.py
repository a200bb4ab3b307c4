"""Every address of the service; the apps name their own in full."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("leads.urls")),
    path("", include("locks_admin.urls")),
]
