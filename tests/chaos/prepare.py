"""``python -m tests.chaos.prepare``: tables, and an operator with a token, for one run."""

from __future__ import annotations

import django
from django.core.management import call_command

from tests.chaos.scale import TOKEN


def main() -> None:
    """Prepare the database of ``DATABASE_URL``."""
    django.setup()
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    call_command("migrate", verbosity=0, interactive=False)
    operator = User.objects.create_superuser("operator", password="unused")
    Token.objects.create(user=operator, key=TOKEN)


if __name__ == "__main__":
    main()
