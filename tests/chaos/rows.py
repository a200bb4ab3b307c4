"""The service's database as the harness sees it: questions, and an operator's hand.

The retry schedule reaches from seconds to hours. The run cannot wait for that, so the harness
does what an operator does who is sitting there: it pulls waiting rows and probes forward
("Deliver again", "Resume now"). It never touches anything else.
"""

from __future__ import annotations

import sqlite3
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

# "Come back" is never further away than this; what is, waits on the retry schedule.
COME_BACK = timedelta(seconds=11)
READING_SECONDS = 30.0
CHANGING_SECONDS = 0.2


class Rows:
    """Two connections, for the thread that made them. ``url`` as in ``DATABASE_URL``.

    A process that was frozen in a transaction keeps others from writing, and the thread that
    writes here is the one that has to thaw it: so changes wait for a moment only.
    """

    def __init__(self, url: str) -> None:
        self._is_sqlite = url.startswith("sqlite:///")
        connect = _sqlite if self._is_sqlite else _postgres
        self._reading = connect(url, READING_SECONDS)
        self._changing = connect(url, CHANGING_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self._reading.close()
        self._changing.close()

    def ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a query with ``%s`` for values."""
        found = self._execute(self._reading, sql, values).fetchall()
        return [tuple(row) for row in found]

    def change(self, sql: str, *values: Any) -> int:
        """How many rows a statement changed; none where somebody keeps them locked."""
        try:
            return int(self._execute(self._changing, sql, values).rowcount)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        except psycopg.errors.LockNotAvailable:
            pass
        return 0

    def _execute(self, connection: Any, sql: str, values: tuple[Any, ...]) -> Any:
        if self._is_sqlite:
            sql = sql.replace("%s", "?")
            values = tuple(_sqlite_text(value) for value in values)
        return connection.execute(sql, values)

    # Questions ------------------------------------------------------------------------------

    def pending(self) -> set[str]:
        """The ids of all submissions that are not delivered."""
        rows = self.ask("SELECT id FROM leads_submission WHERE status <> 'delivered'")
        return {_id(row[0]) for row in rows}

    def submissions(self) -> dict[str, tuple[str, int | None, str]]:
        """Id → status, lead, action."""
        rows = self.ask("SELECT id, status, lead_id, action FROM leads_submission")
        return {_id(row[0]): (row[1], row[2], row[3]) for row in rows}

    def why_pending(self) -> list[tuple[Any, ...]]:
        """What keeps what is not delivered, the commonest reason first."""
        return self.ask(
            "SELECT count(*), status, reason FROM leads_submission WHERE status <> 'delivered'"
            " GROUP BY status, reason ORDER BY 1 DESC LIMIT 10"
        )

    def token_prefix(self, submission: str) -> int | None:
        """The process that has claimed this submission."""
        rows = self.ask(
            "SELECT lease_token FROM leads_submission WHERE id = %s", uuid.UUID(submission)
        )
        token = rows[0][0] if rows else ""
        return int(token.split("/")[1]) if token else None

    def creating(self) -> int:
        """People of whom nobody knows whether a lead is on its way."""
        sql = "SELECT count(*) FROM amocrm_person WHERE creating_since IS NOT NULL"
        return int(self.ask(sql)[0][0])

    def events(self) -> dict[str, int]:
        """What the service counted."""
        sql = "SELECT event, sum(count) FROM amocrm_eventcount GROUP BY event"
        return {row[0]: int(row[1]) for row in self.ask(sql)}

    def crashes(self) -> list[tuple[Any, ...]]:
        """Errors that the service did not expect: how often, and which."""
        return self.ask(
            "SELECT count(*), error FROM leads_deliveryattempt WHERE outcome = 'crashed'"
            " GROUP BY error ORDER BY 1 DESC"
        )

    def shown_duplicates(self) -> list[tuple[Any, ...]]:
        """Other leads of a person that operators are shown: person, lead, origin, state."""
        return self.ask("SELECT person_id, lead_id, origin, state FROM amocrm_duplicatelead")

    # The operator ---------------------------------------------------------------------------

    def hurry(self, beyond: timedelta = COME_BACK) -> int:
        """Try now what waits for longer than ``beyond``, and revive what failed; how many rows."""
        now = datetime.now(UTC)
        pulled = self.change(
            "UPDATE leads_submission SET next_attempt_at = %s"
            " WHERE status = 'accepted' AND leased_until IS NULL AND next_attempt_at > %s",
            now,
            now + beyond,
        )
        return pulled + self.change(
            "UPDATE leads_submission SET status = 'accepted', attempts = 0, next_attempt_at = %s"
            " WHERE status = 'failed'",
            now,
        )

    def probe_now(self) -> int:
        """Let a paused account be probed at once; whether one was paused."""
        now = datetime.now(UTC)
        return self.change(
            "UPDATE amocrm_accountstate SET next_probe_at = %s"
            " WHERE paused_since IS NOT NULL AND next_probe_at > %s",
            now,
            now,
        )


def _sqlite(url: str, patience: float) -> Any:
    path = url.removeprefix("sqlite:///")
    return sqlite3.connect(path, timeout=patience, isolation_level=None)


def _postgres(url: str, patience: float) -> Any:
    options = f"-c lock_timeout={round(patience * 1000)}"
    return psycopg.connect(url, autocommit=True, options=options)


def _id(value: Any) -> str:
    return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value)))


def _sqlite_text(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, datetime):
        return str(value.astimezone(UTC).replace(tzinfo=None))
    return value
