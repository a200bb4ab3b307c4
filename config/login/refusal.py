"""A login whose password is not looked at."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """Why not, and ``until`` when (seconds since the epoch).

    ``is_busy``: others' passwords are being checked; else too many were wrong. It concerns one user
    name from one address or, with ``whole_address``, all names from it.
    """

    is_busy: bool
    until: float
    whole_address: bool = False

    @property
    def seconds(self) -> int:
        """How long from now, 1 or more."""
        return max(1, math.ceil(self.until - time.time()))


class LoginRefused(Exception):
    """Raised in place of looking at the password."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"not looked at: {refusal}")
        self.refusal = refusal
