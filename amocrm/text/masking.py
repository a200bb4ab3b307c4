"""People made unrecognisable in a text.

An e-mail keeps two letters and its domain (``te***@onai.academy``), a phone its first and last
four digits (``+7777***2233``). Ids, UUIDs and timestamps stay as they are: a bare run of digits
counts as a phone from 11 digits on, or as the 10 digits that the CRM is searched by, unless it
begins with 1, as Unix times do and national numbers do not.
"""

from __future__ import annotations

import re

_PERSON = re.compile(
    r"""
    (?P<keep>
        \b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b     # a UUID
      | \b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?                   # a time
      | \b(?:BYTE\.){3}BYTE\b(?!\.\d)                                         # an IP address
    )
  | (?<!LOCAL)(?<!%)                                                      # an e-mail
    (?P<local>(?:LOCAL|%(?!40))++) (?P<at>@|%40) (?P<domain>[\w-]+(?:\.[\w-]+)*)
  | (?:(?<![0-9A-Za-z])|(?<=%[0-9A-F]{2}))
    (?P<phone>
        (?:\+|%2B) \d (?:(?:GAP|%20|%28|%29)*\d){7,14}    # +7 (777) 111-22-33
      | \(? (?=\d+GAP) \d (?:GAP{0,3}\d){9,14}             # 8 (777) 111-22-33
      | \d{11,15}
      | [02-9]\d{9}
    )
    (?![0-9A-Za-z]|\.\d)
    """.replace("LOCAL", r"[\w.!#$&'*+^`~/{|}-]")
    .replace("GAP", r"[\s().\u2010-\u2015\u2212-]")
    .replace("BYTE", r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"),
    re.VERBOSE | re.IGNORECASE,
)


def mask(text: str) -> str:
    """``text`` with the e-mails and phones in it masked."""
    return _PERSON.sub(_masked_person, text)


def mask_local(local: str) -> str:
    """The part of an e-mail before its ``@``: ``te***``."""
    return f"{local[: 2 if len(local) > 2 else 1]}***"


def mask_digits(digits: str) -> str:
    """The digits of a phone: ``7777***2233``; of a short one less."""
    return f"{digits[: max(0, min(4, len(digits) - 7))]}***{digits[-4:]}"


def _masked_person(match: re.Match[str]) -> str:
    if match["keep"] is not None:
        return match["keep"]
    if match["local"] is not None:
        local = match["local"].lstrip("'")
        quote = "'" * (len(match["local"]) - len(local))
        return f"{quote}{mask_local(local)}{match['at']}{match['domain']}"
    phone = match["phone"]
    digits = re.sub(r"\D", "", re.sub("%[0-9A-F]{2}", "", phone, flags=re.IGNORECASE))
    if not phone.startswith(("+", "%")) and len(digits) >= 13 and digits.startswith("1"):
        return phone
    plus = "+" if phone.startswith("+") else "%2B" if phone.startswith("%") else ""
    return plus + mask_digits(digits)
