"""Keeping what was refused, so that no person is lost without anybody knowing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.utils import timezone

from amocrm import counters
from amocrm.identity import identities
from amocrm.log_context import get_logger
from leads import conf
from leads.intake import digest_of
from leads.models import LandingForm, RefusedForm
from leads.remarks import Code

logger = get_logger(__name__)

#: So many are kept, those that are worth most and of these the newest, and none for longer.
MOST = 1000
LONGEST = timedelta(days=90)

#: What an e-mail or a phone looks like in a text that could not be read.
_CONTACT = re.compile(r"[\w.+-]@[\w-]+\.\w|(?:\d[ ()-]{0,3}){10}")

Problems = Sequence[Mapping[str, str]]


def report(
    form: LandingForm | None, problems: Problems, person: Mapping[str, str], why: str
) -> None:
    """Count a refused form, and say in the log which field was wrong and how; ``why`` is that of
    an error that is none of a field's."""
    told = {Code.REFUSED: f"{Code.REFUSED}: {why}"}
    reasons = ", ".join(
        f"{one['field']} {told.get(Code(one['code']), one['code'])}" for one in problems
    )
    who = " / ".join(value for value in person.values() if value)
    shown = f" · {who}" if who and conf.current().logs_people else ""
    logger.warning("🚫 Refused %s: %s%s", form.slug if form else "no form of ours", reasons, shown)
    counters.count(counters.Event.FORM_REFUSED)


def keep(
    *,
    form: LandingForm | None,
    problems: Problems,
    person: Mapping[str, str],
    body: Mapping[str, Any],
    text: str = "",
) -> None:
    """Keep a refused form: ``body`` as parsed, or ``text`` where it could not be. Never raises:
    its sender gets an answer anyway."""
    try:
        with transaction.atomic():
            _keep(form=form, problems=problems, person=person, body=body, text=text)
    except DatabaseError:
        logger.exception("A refused form could not be kept")


def _keep(*, form: LandingForm | None, text: str, body: Mapping[str, Any], **values: Any) -> None:
    now = timezone.now()
    digest = digest_of([form.slug if form else "", dict(body), text])
    same = RefusedForm.objects.filter(digest=digest)
    if same.update(times=F("times") + 1, last_at=now):
        return
    row = RefusedForm(
        form=form,
        created_at=now,
        last_at=now,
        problems=list(values["problems"]),
        body=dict(body),
        text=text,
        digest=digest,
        worth=_worth(form, values["person"], text),
        **values["person"],
    )
    RefusedForm.objects.bulk_create([row], ignore_conflicts=True)  # its twin may be quicker
    kept_first = RefusedForm.objects.order_by("-worth", "-created_at")
    surplus = kept_first.values_list("pk", flat=True)[MOST:]
    RefusedForm.objects.filter(Q(pk__in=list(surplus)) | Q(created_at__lt=now - LONGEST)).delete()


def _worth(form: LandingForm | None, person: Mapping[str, str], text: str) -> int:
    """3: somebody can be reached; 2: the same, but of no form; 1: only typed; 0: the rest.

    Anybody can invent thousands of addresses and bodies: these push out only their own kind.
    """
    email, phone = person.get("email", ""), person.get("phone", "")
    named = identities(emails=[email], phones=[phone], region=conf.current().phone_region)
    if named or _CONTACT.search(text):
        return 3 if form else 2
    return int(bool(form and (email or phone)))
