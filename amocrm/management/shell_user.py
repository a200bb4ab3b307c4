"""Who sits at the terminal."""

from __future__ import annotations

import getpass
import socket


def shell_user() -> str:
    """The user of this process and the machine, as ``olga@web-1``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
