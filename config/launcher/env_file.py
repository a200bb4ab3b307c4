"""The first ``env.env``: the example with a secret key that nobody else has."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from config.env import ConfigError

PROJECT = Path(__file__).resolve().parent.parent.parent


def ensure(project: Path = PROJECT) -> bool:
    """Create ``env.env`` from ``env.env.example`` unless it exists; tell whether it was created.

    Only its owner may read it. It appears whole or not at all.
    """
    target = project / "env.env"
    if os.path.lexists(target):
        return False
    try:
        example = (project / "env.env.example").read_text(encoding="utf-8")
        content = re.sub(
            r"(?m)^SECRET_KEY=$", f"SECRET_KEY={secrets.token_urlsafe(50)}", example, count=1
        )
        draft = project / f".env.env.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        draft.rename(target)
    except OSError as error:
        raise ConfigError(
            f"env.env cannot be created ({error.strerror}: {error.filename}): make the project's"
            " folder writable for this user."
        ) from None
    return True
