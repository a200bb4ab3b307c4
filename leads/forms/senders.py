"""Keys of senders: only a digest is kept, so a key is shown once and never again."""

from __future__ import annotations

import hashlib
import secrets

from rest_framework.request import Request

from amocrm.log_context import get_logger
from leads.models import LandingForm, Sender

logger = get_logger(__name__)

_SHOWN = 8  # characters by which people recognise a key
_BEARER = "bearer "


def new_key(sender: Sender) -> str:
    """Give ``sender``, not saved yet, another key, and say which: nobody can later."""
    key = secrets.token_urlsafe(24)
    sender.key_start, sender.key_digest = key[:_SHOWN], _digest(key)
    return key


def sender_of(request: Request, form: LandingForm | None) -> Sender | None:
    """Whose key came with the request, in ``Authorization: Bearer``, ``X-Api-Key`` or ``?key=``.

    A person is not refused for the key of whoever passes the form on: with one that nobody has, or
    that is another form's, the form counts as its address's, and the log says so.
    """
    key = _key(request)
    if not key:
        return None
    sender = Sender.objects.filter(key_digest=_digest(key), is_active=True).first()
    if sender is None:
        logger.warning("🔑 Nobody has the key that begins with %r", key[:_SHOWN])
    elif form is None or sender.form_id != form.slug:
        logger.warning("🔑 The key of %s is for the form %s", sender.name, sender.form_id)
    else:
        return sender
    return None


def _key(request: Request) -> str:
    authorization = request.headers.get("Authorization", "")
    if authorization.lower().startswith(_BEARER):
        return authorization[len(_BEARER) :].strip()
    return (request.headers.get("X-Api-Key") or request.query_params.get("key") or "").strip()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
