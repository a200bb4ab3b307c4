"""What the pages of this app share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from amocrm import conf
from amocrm.account.links import contact_url, lead_url

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

LONGEST_REASON = 200  # characters
LEAD_ON_ITS_WAY = _("A lead of theirs may be on its way: try again in a few minutes.")


class ReadOnly:
    """Permissions of something that only the service itself writes."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody enters these."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits these."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes these."""
        return False


def lead(account: str, lead_id: int | None) -> str | SafeString:
    """A lead by its id, with a link where it is of the configured account."""
    if lead_id is None:
        return "—"
    settings = conf.current()
    if account != settings.account:
        return str(lead_id)
    return link(lead_url(settings.base_url, lead_id), str(lead_id))


def contact(account: str, contact_id: int) -> str | SafeString:
    """A contact by its id, with a link where it is of the configured account."""
    settings = conf.current()
    if account != settings.account:
        return str(contact_id)
    return link(contact_url(settings.base_url, contact_id), str(contact_id))


def link(url: str, text: str) -> SafeString:
    """A link to a page of amoCRM."""
    return format_html('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>', url, text)
