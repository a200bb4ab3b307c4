"""What is written into the CRM: the bodies of leads and contacts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from amocrm.account.schema import AccountSchema
from amocrm.api.schemas import Contact, Lead
from amocrm.contract import LeadRequest
from amocrm.errors import Rejected
from amocrm.identity import IdentityKey, printed_phone
from amocrm.log_context import get_logger

logger = get_logger(__name__)

LONGEST_NAME = 250
TAGS = "tags_to_add"
STAGE = "status_id"
PLAIN_AFTER = 3  # writes without an answer
RESPONSIBLE = "responsible_user_id"
KINDS = "enum_code"  # of e-mails and phones: WORK, which an account may not have
FIELD_OF_KIND = {"email": "EMAIL", "phone": "PHONE"}

Body = dict[str, Any]

# Where amoCRM says that something is wrong, in a batch with the row's number before it.
_PARTS = re.compile(
    rf"(?:\d+\.)?(?:(?P<{TAGS}>{TAGS}(?:\..*)?)|(?P<{STAGE}>status_id|pipeline_id)"
    rf"|(?P<{RESPONSIBLE}>(?:_embedded\.contacts\.0\.)?{RESPONSIBLE})"
    rf"|(?P<{KINDS}>(?:_embedded\.contacts\.0\.)?custom_fields_values\.\d+\.values\.\d+\.enum(?:_code)?))"
)


def new_lead(
    request: LeadRequest,
    schema: AccountSchema,
    *,
    contact: Contact | None,
    named: frozenset[IdentityKey],
    without: frozenset[str] = frozenset(),
) -> Body:
    """A lead on ``contact``, or on a new contact that carries ``named``; what ``without``
    lists (see :func:`dispensable`) is left out."""
    body: Body = {
        "name": request.lead_name[:LONGEST_NAME],
        "pipeline_id": schema.pipeline_id,
        "status_id": schema.first_stage if STAGE in without else schema.stage_for(request.stage),
        "request_id": request.reference,
        "_embedded": {
            "contacts": [{"id": contact.id} if contact else _new_contact(request, named, without)]
        },
    }
    if TAGS not in without and (tags := _tags(request.tags)):
        body[TAGS] = tags
    body |= _responsible(request, without)
    if fields := _utm_fields(request.utm, schema, without):
        body["custom_fields_values"] = fields
    return body


def lead_changes(
    request: LeadRequest,
    lead: Lead,
    schema: AccountSchema,
    *,
    without: frozenset[str] = frozenset(),
) -> Body:
    """What this submission changes on an existing lead; empty if nothing.

    Tags are added, UTM fields only filled (first touch wins), the stage only moves forward,
    the name stays.
    """
    body: Body = {}
    there = {tag.casefold() for tag in lead.tags}
    missing = _tags(tuple(tag for tag in request.tags if tag.casefold() not in there))
    if missing and TAGS not in without:
        body[TAGS] = missing
    stage = schema.stage_for(request.stage)
    if STAGE not in without and schema.is_forward(lead.status_id, stage):
        body["pipeline_id"] = schema.pipeline_id
        body["status_id"] = stage
    empty = {key: value for key, value in request.utm.items() if _code(key) not in lead.filled}
    if fields := _utm_fields(empty, schema, without):
        body["custom_fields_values"] = fields
    return body


def left_out(request: LeadRequest) -> frozenset[str]:
    """What is not sent any more after the same body has failed again and again: amoCRM was seen
    to answer 500 for as long as a tracking field was in it. While amoCRM answers nothing at all, no
    body is sent, and none loses anything."""
    if request.lost_writes < PLAIN_AFTER:
        return frozenset()
    return frozenset((TAGS, *map(_code, request.utm)))


def dispensable(error: Rejected, sent: Body) -> frozenset[str] | None:
    """What amoCRM rejected in ``sent`` and the lead can do without: the codes of custom fields,
    :data:`TAGS`, :data:`STAGE`, :data:`RESPONSIBLE`, :data:`KINDS`. ``None`` where something else
    was rejected, too.

    Paths are like ``custom_fields_values.0.field_id``, in a batch with the row's number before
    them.
    """
    fields = sent.get("custom_fields_values") or []
    codes = set()
    for problem in error.problems:
        if part := _PARTS.fullmatch(problem.path):
            codes.add(next(name for name in (TAGS, STAGE, RESPONSIBLE, KINDS) if part[name]))
            continue
        found = re.fullmatch(r"(?:\d+\.)?custom_fields_values\.(\d+)(?:\..*)?", problem.path)
        if found is None or int(found[1]) >= len(fields):
            return None
        codes.add(str(fields[int(found[1])]["field_code"]))
    return frozenset(codes) or None


def is_contact_unknown(error: Rejected) -> bool:
    """Whether amoCRM does not know the contact that the lead was to be made on."""
    path = r"(?:\d+\.)?_embedded\.contacts\.0\.id"
    return any(re.fullmatch(path, problem.path) for problem in error.problems)


def contact_additions(
    contact: Contact,
    missing: frozenset[IdentityKey],
    *,
    without: frozenset[str] = frozenset(),
) -> Body:
    """``missing`` appended to what the contact has.

    PATCH replaces all values of such a field, so those it has are sent along.
    """
    return {
        "custom_fields_values": [
            {"field_code": code, "values": [*_kept_values(contact, code), *added]}
            for kind, code in FIELD_OF_KIND.items()
            if (added := _values(missing, kind, without))
        ]
    }


def _new_contact(
    request: LeadRequest, named: frozenset[IdentityKey], without: frozenset[str]
) -> Body:
    return {
        "name": request.name[:LONGEST_NAME],
        **_responsible(request, without),
        "custom_fields_values": [
            {"field_code": code, "values": values}
            for kind, code in FIELD_OF_KIND.items()
            if (values := _values(named, kind, without))
        ],
    }


def _responsible(request: LeadRequest, without: frozenset[str]) -> Body:
    """Whose a new lead or contact is: a user who left the account is nobody's choice."""
    if request.responsible_user is None or RESPONSIBLE in without:
        return {}
    return {RESPONSIBLE: request.responsible_user}


def _values(keys: frozenset[IdentityKey], kind: str, without: frozenset[str]) -> list[Body]:
    kinds = {} if KINDS in without else {KINDS: "WORK"}
    return [{"value": _typed(key), **kinds} for key in sorted(keys) if key.kind == kind]


def _typed(key: IdentityKey) -> str:
    """A phone with an extension as people write it, everything else as it is."""
    return printed_phone(key.value) if key.kind == "phone" and ";" in key.value else key.value


def _kept_values(contact: Contact, code: str) -> list[Body]:
    return [
        {"value": value["value"], **_kind_of(value)}
        for field in contact.fields
        if field.get("field_code") == code
        for value in field.get("values") or ()
        if value.get("value")
    ]


def _kind_of(value: Mapping[str, Any]) -> Body:
    """Which kind of e-mail or phone a value is: its id where there is one, else its code,
    which older answers call ``enum``."""
    if value.get("enum_id"):
        return {"enum_id": value["enum_id"]}
    code = value.get("enum_code") or value.get("enum")
    return {"enum_code": code} if code else {}


def _tags(names: tuple[str, ...]) -> list[Body]:
    return [{"name": name} for name in dict.fromkeys(names) if name]


def _code(utm_key: str) -> str:
    return utm_key.upper()


def _utm_fields(
    utm: Mapping[str, str], schema: AccountSchema, without: frozenset[str]
) -> list[Body]:
    fields = []
    for key, value in sorted(utm.items()):
        if not value or _code(key) in without:
            continue
        if _code(key) in schema.lead_fields:
            fields.append({"field_code": _code(key), "values": [{"value": value}]})
        else:
            logger.warning("🏷 The account has no field %s: left out of the lead", _code(key))
    return fields
