"""What must be there before the first request: the tables, and somebody who may look after it."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import DatabaseError, connections

from config.env import ConfigError
from config.launcher.console import say

ADMIN = "admin"


def prepare() -> None:
    """Create the tables and, once, the user ``admin`` with an API token; both are printed then."""
    import django
    from django.core.management import call_command

    django.setup()
    try:
        settings.VAR_DIR.mkdir(exist_ok=True)
        settings.VAR_DIR.chmod(0o700)  # people's names and phones lie in there
        call_command("migrate", interactive=False, verbosity=0)
        _create_admin()
    except DatabaseError as error:
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise ConfigError(
            f"the database at DATABASE_URL cannot be prepared ({reason[0]}): make sure that it"
            " exists and that this user may write to it."
        ) from None
    finally:
        connections.close_all()


def api_token() -> str | None:
    """Return a superuser's API token for the printed commands, ``None`` if there is none."""
    from rest_framework.authtoken.models import Token

    try:
        tokens = Token.objects.filter(user__is_superuser=True, user__is_active=True)
        return tokens.order_by("user_id").values_list("key", flat=True).first()
    finally:
        connections.close_all()


def _create_admin() -> None:
    from django.contrib.auth import get_user_model
    from rest_framework.authtoken.models import Token

    users = get_user_model()._default_manager
    if users.filter(is_superuser=True).exists() or users.filter(username=ADMIN).exists():
        return
    password = secrets.token_urlsafe(12)
    user = users.create_superuser(username=ADMIN, password=password)
    token = Token.objects.create(user=user)
    say(
        f"Created the user {ADMIN} (this is shown once):\n"
        f"  password   {password}\n"
        f"  API token  {token.key}"
    )
