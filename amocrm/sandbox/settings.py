"""What can be turned while the sandbox runs; every name is a key of ``/_sandbox/config``."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class Settings:
    """The account's temper.

    ``index_lag`` seconds until a written contact is findable by ``query``. ``list_lag``
    seconds for which a contact, lead or note that was made or changed is left out of
    ``/contacts``, ``/leads`` and ``/leads/notes`` (filtered ones too, not those with
    ``query``): a change feed that comes late. By its id, and among the notes of its lead,
    it is there at once. ``rps`` requests allowed in any sliding second, 0 for no limit.
    After ``abuse_429s`` refusals within ``abuse_window`` seconds everything is answered 403
    for ``block_seconds``. ``latency`` seconds that every request takes which the limits let
    through, and ``latency_per_row`` more for each row of a write (an object is one);
    requests of several connections wait at once. ``throttle_format`` is how a 429 looks:
    nginx's page, or Kommo's JSON with ``retry_after`` seconds. ``strangers``: search also
    returns partial matches.
    ``see_through_phones``: search compares digits, not the phone as typed.
    ``duplicate_control``: amoCRM's own, in ``/leads/complex`` only.
    ``merge_within_request``: rows of one ``/leads/complex`` that share an e-mail or phone
    become one lead, and one element of the answer with all their request ids, ``merged``.
    ``shuffle_answers``: the rows of an answer to a batch come last first. ``partial_400``:
    the rows of a batch that the validation errors of its 400 do not name are carried out
    all the same; a 400 without them refuses all.
    ``single_patch_answer``: what a PATCH of one entity answers; ``documented`` is an object
    for leads and a collection for contacts. ``deleted_leads``: GET of a deleted lead shows
    it with ``is_deleted`` (``flag``) or answers 204 (``empty``). ``old_enum_key``: multitext
    values say ``enum`` where newer answers say ``enum_code``. ``note_limit`` characters of
    a note's text. ``revoked_tokens``: answered 401; ``*`` revokes all. ``seed`` starts the
    random numbers of fault rules. ``clock_offset`` seconds are added to the clock, which
    stands still if ``clock_frozen``: lags, limits and blocks then wait for the offset.
    ``ignored_identities``: e-mails and phones that make nobody the same person when the
    board counts people.
    """

    index_lag: float = 2.0
    list_lag: float = 0.0
    rps: int = 7
    abuse_429s: int = 20
    abuse_window: float = 10.0
    block_seconds: float = 60.0
    latency: float = 0.0
    latency_per_row: float = 0.0
    throttle_format: Literal["html", "json"] = "html"
    retry_after: int = 300
    strangers: bool = True
    see_through_phones: bool = True
    duplicate_control: bool = False
    merge_within_request: bool = False
    shuffle_answers: bool = False
    partial_400: bool = False
    single_patch_answer: Literal["documented", "object", "embedded"] = "documented"
    deleted_leads: Literal["flag", "empty"] = "flag"
    old_enum_key: bool = False
    is_api_filter_enabled: bool = False
    note_limit: int = 20000
    timezone: str = "Asia/Almaty"
    seed: int = 0
    clock_offset: float = 0.0
    clock_frozen: bool = False
    revoked_tokens: list[str] = field(default_factory=list)
    ignored_identities: list[str] = field(default_factory=list)

    def changed(self, changes: dict[str, Any]) -> Settings:
        """A copy with ``changes`` applied.

        Raises :class:`ValueError` with a sentence for an unknown key or a value of the
        wrong kind; nothing is applied then.
        """
        hints = get_type_hints(Settings)
        known = [one.name for one in fields(Settings)]
        clean: dict[str, Any] = {}
        for key, value in changes.items():
            if key not in hints:
                raise ValueError(f"There is no setting {key!r}. Known: {', '.join(known)}.")
            clean[key] = _checked(key, value, hints[key])
        return replace(self, **clean)

    def as_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return asdict(self)


def _checked(key: str, value: Any, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{key} is one of {', '.join(get_args(kind))}, not {value!r}.")
    elif get_origin(kind) is list:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError(f"{key} is a list of strings, not {value!r}.")
    elif kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{key} is true or false, not {value!r}.")
    elif kind in (int, float):
        accepted = (int,) if kind is int else (int, float)
        if isinstance(value, bool) or not isinstance(value, accepted):
            raise ValueError(f"{key} is a number, not {value!r}.")
        if value < 0 and key not in ("clock_offset", "seed"):
            raise ValueError(f"{key} is not negative, but {value!r} is.")
    elif not isinstance(value, str):
        raise ValueError(f"{key} is a string, not {value!r}.")
    if key == "timezone":
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"There is no time zone {value!r}.") from None
    return value
