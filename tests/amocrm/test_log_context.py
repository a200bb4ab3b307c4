"""Every line of a delivery names the person and the submission, each once."""

from __future__ import annotations

import logging

import pytest

from amocrm.identity import identities
from amocrm.log_context import current_subject, get_logger, log_context

logger = get_logger("amocrm.test")
NAMED = identities(emails=["Test@onai.academy"], phones=["8 777 111 22 33"], region="KZ")


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


def test_a_line_ends_with_the_person_and_the_submission(lines: pytest.LogCaptureFixture) -> None:
    with log_context(named=NAMED, reference="id-1"):
        logger.info("🔒 Lock ACQUIRED: %s", "amocrm:lead:x [LOCK]")
    assert lines.messages == [
        "🔒 Lock ACQUIRED: amocrm:lead:x [LOCK]"
        " · test@onai.academy / +77771112233 · submission id-1"
    ]


def test_a_line_that_names_the_person_itself_names_them_once(
    lines: pytest.LogCaptureFixture,
) -> None:
    with log_context(named=NAMED, reference="id-1"):
        logger.info("🔐 [LOCK] Attempting to acquire lock for lead: %s", current_subject())
    assert lines.messages == [
        "🔐 [LOCK] Attempting to acquire lock for lead: test@onai.academy / +77771112233"
        " · submission id-1"
    ]


def test_whoever_is_not_known_is_said_not_to_be(lines: pytest.LogCaptureFixture) -> None:
    with log_context(named=(), reference="id-1"):
        logger.info("📥 Accepted %s", "express")
    assert lines.messages == ["📥 Accepted express · nobody named · submission id-1"]


def test_outside_of_a_delivery_a_line_is_as_it_is_written(lines: pytest.LogCaptureFixture) -> None:
    with log_context(named=NAMED, reference="id-1"), log_context(named=(), reference="id-2"):
        assert current_subject() == "nobody named"
    logger.info("A line")
    assert lines.messages == ["A line"]
    assert current_subject() == ""
