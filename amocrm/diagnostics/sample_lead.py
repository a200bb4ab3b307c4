"""A lead made on purpose, to see that everything works: the only write of ``amocrm_check``."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import phonenumbers
from django.utils.translation import gettext as _

from amocrm import conf
from amocrm.account.schema import fetch_schema
from amocrm.api.client import Client
from amocrm.diagnostics import faults
from amocrm.errors import Refused
from amocrm.identity import printed_phone

TAG = "тест"


@dataclass(frozen=True)
class SampleLead:
    """What was made; ``merged``: amoCRM's duplicate control put it into somebody's lead."""

    lead_id: int
    contact_id: int | None
    merged: bool


def make_sample_lead(client: Client, settings: conf.AmoSettings) -> SampleLead:
    """One lead on a new contact that nobody can be: its e-mail is of a domain that cannot
    receive mail (RFC 2606), its phone its country's example number, as people print it.

    The ledger is told nothing: this is nobody. Raises what the client raises.
    """
    schema = fetch_schema(client, settings)
    if schema is None:
        raise Refused(faults.no_pipeline(settings))
    fields = [("EMAIL", f"amocrm-check-{secrets.token_hex(6)}@example.com")]
    if phone := _example_phone(settings.phone_region):
        fields.append(("PHONE", phone))
    name = _("Test of the connection: may be closed")
    contact = {
        "name": name,
        "custom_fields_values": [
            {"field_code": code, "values": [{"value": value, "enum_code": "WORK"}]}
            for code, value in fields
        ],
    }
    body = {
        "name": name,
        "pipeline_id": schema.pipeline_id,
        "status_id": schema.first_stage,
        "tags_to_add": [{"name": TAG}],
        "_embedded": {"contacts": [contact]},
    }
    made = client.create_lead(body)
    return SampleLead(made.lead_id, made.contact_id, made.merged)


def _example_phone(region: str) -> str:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return ""
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return printed_phone(e164)
