"""E-mails and phones, wherever in a form they were typed."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Literal

from amocrm.identity import identities
from leads import conf
from leads.api.cleaning import clean_line
from leads.api.copying import scalars

Kind = Literal["email", "phone"]

_MOST_TEXTS = 500
_LONGEST_TEXT = 1000
_LIKE_AN_EMAIL = re.compile(r"\S+@\S+")  # its digits are no phone


def first_in(values: Any, kind: Kind) -> str:
    """The first e-mail or phone in ``values``, however they are nested, as the ledger knows it;
    empty where there is none."""
    for text in islice(scalars(values), _MOST_TEXTS):
        line = clean_line(text)[:_LONGEST_TEXT]
        emails, phones = ([line], []) if kind == "email" else ([], [_LIKE_AN_EMAIL.sub(" ", line)])
        if found := identities(emails=emails, phones=phones, region=conf.current().phone_region):
            return min(found).value
    return ""
