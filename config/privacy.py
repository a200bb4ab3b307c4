"""What is taken out of a line before it reaches a log: secrets, people, control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable

from amocrm.text.masking import mask
from amocrm.text.printable import escaped

_SECRET = "[secret]"  # noqa: S105
_CREDENTIALS = re.compile(
    r"(?P<scheme>\b(?:Bearer|Token)['\"]?[ :=]+['\"]?)[\w.~+/=-]{16,}"
    r"|(?P<url>://)[^\s/@]*:[^\s/@]+(?=@)",
    re.IGNORECASE,
)


class Scrubber:
    """Cleans texts for a log.

    ``secrets`` are blotted out wherever they appear; ``masked`` asks for people to be masked.
    """

    def __init__(self, *, masked: bool, secrets: Iterable[str] = ()) -> None:
        self._masked = masked
        self._secrets = sorted({s for s in secrets if len(s) >= 8}, key=len, reverse=True)

    def line(self, text: str) -> str:
        """Return ``text`` as one line."""
        for secret in self._secrets:
            text = text.replace(secret, _SECRET)
        text = without_credentials(text)
        if self._masked:
            text = mask(text)
        return escaped(text)

    def lines(self, text: str) -> list[str]:
        """Return the lines of ``text``, each cleaned."""
        return [self.line(part) for part in text.split("\n")]


def without_credentials(text: str) -> str:
    """``text`` with the passwords in URLs and the tokens in headers blotted out."""
    return _CREDENTIALS.sub(_without_credentials, text)


def _without_credentials(match: re.Match[str]) -> str:
    return f"{match['scheme'] or match['url']}{_SECRET}"
