"""E-mails and phones as nobody can read them: keyed digests."""

from __future__ import annotations

import hmac
import json

from django.utils.crypto import salted_hmac

from amocrm import conf
from amocrm.identity import IdentityKey

LENGTH = 32  # of a digest, in hexadecimal digits


class Digests:
    """Makes them. The key comes from ``SECRET_KEY``, and from the settings that decide how
    contacts are read: with other ones an e-mail or phone has another digest."""

    def __init__(self, settings: conf.AmoSettings) -> None:
        read_with = json.dumps([settings.phone_region, sorted(settings.ignored_identities)])
        self._key = salted_hmac("amocrm.mirror", read_with, algorithm="sha256").digest()

    @property
    def key(self) -> str:
        """What tells this key from another one, and does not tell the key."""
        return self._of("the key itself")

    def of(self, identity: IdentityKey) -> str:
        """The digest of an e-mail or phone."""
        return self._of(f"{identity.kind}:{identity.value}")

    def _of(self, text: str) -> str:
        return hmac.digest(self._key, text.encode(), "sha256").hex()[:LENGTH]
