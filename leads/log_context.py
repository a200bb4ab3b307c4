"""Whom the log lines of a submission name."""

from __future__ import annotations

from contextlib import AbstractContextManager

from amocrm import log_context
from amocrm.identity import parse_email, parse_phone
from leads import conf
from leads.models import Submission


def submission_log_context(submission: Submission) -> AbstractContextManager[None]:
    """Lines logged in this block name the person as the delivery does, and the submission."""
    region = conf.current().phone_region
    return log_context.log_context(
        email=parse_email(submission.email) or submission.email,
        phone=parse_phone(submission.phone, region) or submission.phone,
        reference=str(submission.pk),
    )
