"""Every address of the service; the apps name their own in full."""

from typing import NoReturn

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path, re_path

from config.openapi.views import DocsView, SchemaView
from leads.api.views import NotFoundView


def not_found(request: HttpRequest) -> NoReturn:
    """404. Raises ``Http404``."""
    raise Http404


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """Where browsers look for it on a page that names none."""
    return HttpResponseRedirect(static("leads/icon.svg"))


urlpatterns = [
    # "View on site", which nothing here has: it fails for a model without a table, and for ids
    # that cannot be one.
    re_path("^admin/r/", not_found),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include("leads.urls")),
    path("", include("locks_admin.urls")),
    path("api/schema", SchemaView.as_view(), name="api-schema"),
    path("api/docs", DocsView.as_view(), name="api-docs"),
    path("favicon.ico", favicon),
    re_path("^api(/|$)", NotFoundView.as_view(), name="not-found"),
]

handler400 = "leads.api.error_pages.bad_request"
handler500 = "leads.api.error_pages.server_error"
