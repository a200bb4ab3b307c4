"""What was wrong with an accepted form: kept as codes, told in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from amocrm.text.printable import shortened

#: As many are kept of one form, each with so many characters of what was sent.
MOST = 30
LONGEST_VALUE = 200

FIELDS = {
    "name": gettext_lazy("name"),
    "email": gettext_lazy("e-mail"),
    "phone": gettext_lazy("phone"),
    "source": gettext_lazy("source"),
    "campaignSlug": gettext_lazy("campaign"),
    "paymentMethod": gettext_lazy("payment method"),
    "utmParams": gettext_lazy("UTM"),
    "metadata": gettext_lazy("metadata"),
    "answers": gettext_lazy("answers"),
    "proftestAnswers": gettext_lazy("answers"),
    "files": gettext_lazy("files"),
    "form": gettext_lazy("form"),
    "consent": gettext_lazy("consent"),
}


class Code(StrEnum):
    """What can be wrong, with what ``value`` is then."""

    MISSING = "missing"
    UNUSABLE = "unusable"  # as it was typed
    UNREADABLE = "unreadable"  # as it was sent
    SEVERAL = "several"  # those that were not taken
    CUT = "cut"  # how many characters are left
    TOO_MANY = "too_many"  # how many values are left
    FILES = "files"  # their names
    REFUSED = "refused"  # what the sender was told
    NO_FORM = "no_form"  # the address that it was sent to
    TOO_OFTEN = "too_often"  # after how many seconds it may be sent again
    FOUND = "found"  # what it is
    MENDED = "mended"  # when it came
    TRAPPED = "trapped"  # what stood in the trap
    TOO_FAST = "too_fast"  # after how many seconds


_SENTENCES = {
    Code.MISSING: gettext_noop("%(field)s: not given"),
    Code.UNUSABLE: gettext_noop("%(field)s: there is none such, nobody was looked for by it"),
    Code.UNREADABLE: gettext_noop("%(field)s: could not be read: %(value)s"),
    Code.SEVERAL: gettext_noop("%(field)s: several values, one was taken, not: %(value)s"),
    Code.CUT: gettext_noop("%(field)s: too long, cut to %(value)s characters"),
    Code.TOO_MANY: gettext_noop("%(field)s: too much, only the first %(value)s values were kept"),
    Code.FILES: gettext_noop("%(field)s: not kept: %(value)s"),
    Code.REFUSED: gettext_noop("%(field)s: the sender was told: %(value)s"),
    Code.NO_FORM: gettext_noop("%(field)s: there is none such, or it is switched off: %(value)s"),
    Code.TOO_OFTEN: gettext_noop(
        "%(field)s: too many with this e-mail or phone, the sender was told to wait for %(value)s s"
    ),
    Code.TRAPPED: gettext_noop("%(field)s: a field that no visitor sees was filled in: %(value)s"),
    Code.TOO_FAST: gettext_noop("%(field)s: sent after %(value)s s, faster than people are"),
    Code.FOUND: gettext_noop("%(field)s: found elsewhere in the form: %(value)s"),
    Code.MENDED: gettext_noop("%(field)s: refused at %(value)s, mended by an operator"),
}


@dataclass
class Remarks:
    """Those of one form, as ``Submission.remarks`` keeps them."""

    kept: list[dict[str, str]] = field(default_factory=list)

    def add(self, where: str, code: Code, value: object = "") -> None:
        """Remark on the field ``where`` (``utmParams.utm_source`` for a part of one)."""
        remark = {"field": where, "code": code.value, "value": shortened(str(value), LONGEST_VALUE)}
        if len(self.kept) < MOST and remark not in self.kept:
            self.kept.append(remark)


def sentence(remark: Mapping[str, str]) -> str:
    """A remark in the current language. One of a later version is told by its code."""
    name, _dot, part = remark["field"].partition(".")
    label = f"{FIELDS.get(name, name)} {part}".strip()
    try:
        text = _(_SENTENCES[Code(remark["code"])])
    except ValueError:
        text = f"%(field)s: {remark['code']}: %(value)s"
    return text % {"field": label[:1].upper() + label[1:], "value": remark["value"]}
