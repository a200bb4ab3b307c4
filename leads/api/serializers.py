"""What the landing pages send, under our names: leads.api.builders."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from amocrm.identity import IdentityKey, identities
from leads import conf
from leads.api.field_names import field_called
from leads.api.fields import (
    AnswersField,
    ChoiceField,
    ConsentField,
    ContactField,
    ObjectField,
    ProftestAnswersField,
    TextField,
    UtmField,
)
from leads.api.reachable import Kind, first_in
from leads.remarks import Code, Remarks

#: The fields that say who it is.
PERSON = ("name", "email", "phone")
_WANTED = {
    "name": _("Enter your name."),
    "email": _("Enter your e-mail."),
    "phone": _("Enter your phone number."),
}
_UNUSABLE = {
    "email": _("This is not a valid e-mail address."),
    "phone": _("This is not a valid phone number. Enter it with the country code."),
}
_META_PHONE = re.compile(r"^p:\s*", re.IGNORECASE)


class LandingSerializer(serializers.Serializer[Any]):
    """What all forms have in common. ``validated_data`` has the names of the model's fields.

    Only a form from which nobody can be reached is not valid.
    """

    #: What a visitor has to give, as far as it is up to the page.
    wanted: tuple[str, ...] = ("name", "phone")

    name = TextField(255)
    email = ContactField("email", 320)
    phone = ContactField("phone", 64)
    # REST framework takes it off the class; its own `source` is of instances.
    source = TextField(255)  # type: ignore[assignment]
    campaignSlug = TextField(255, source="campaign_slug")
    utmParams = UtmField(source="utm")
    metadata = ObjectField()
    consent = ConsentField()
    # What a builder of forms sends besides: leads.api.builders.
    moreAnswers = AnswersField()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: What was not read as it was sent.
        self.remarks = Remarks()
        if files := getattr(self.initial_data, "files", ()):
            self.remarks.add("files", Code.FILES, ", ".join(files))
        #: The e-mail and phone of a valid form as the CRM and the log know them.
        self.named: frozenset[IdentityKey] = frozenset()
        #: Name, e-mail and phone as they were read, once they were.
        self.person: dict[str, str] = {}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Find out who can be reached, and add the remarks. Raises ``ValidationError``."""
        if more := attrs.pop("moreAnswers"):
            attrs["answers"] = {"answers": more}
        attrs["phone"] = _META_PHONE.sub("", attrs["phone"])
        self.named = _named(attrs)
        self._look_further(attrs)
        self.person = {field: attrs[field] for field in PERSON}
        kinds = {key.kind for key in self.named}
        missing = [field for field in self.wanted if not attrs[field]]
        unusable = [field for field in _UNUSABLE if attrs[field] and field not in kinds]
        for field in missing:
            self.remarks.add(field, Code.MISSING)
        for field in unusable:
            self.remarks.add(field, Code.UNUSABLE, attrs[field])
        if not self.named:
            wrong = {field: [_WANTED[field]] for field in missing}
            wrong |= {field: [_UNUSABLE[field]] for field in unusable}
            raise serializers.ValidationError({field: wrong[field] for field in _in_order(wrong)})
        return attrs | {"remarks": self.remarks.kept}

    def _look_further(self, attrs: dict[str, Any]) -> None:
        """Find an e-mail or phone that was typed into another field: one that is for the like,
        and if nobody can be reached so, any."""
        others = getattr(self.initial_data, "others", {})
        kinds: tuple[Kind, Kind] = ("email", "phone")
        for kind, swapped in (kinds, kinds[::-1]):
            alike = [value for name, value in others.items() if field_called(name) == kind]
            self._look_for(kind, [attrs[swapped], alike], attrs)
        if not self.named:
            sent = [self.initial_data.get(one) for one in ("answers", "proftestAnswers")]
            everything = [attrs["name"], others, attrs.get("answers"), sent]
            for kind in kinds:
                self._look_for(kind, everything, attrs)

    def _look_for(self, kind: Kind, values: Any, attrs: dict[str, Any]) -> None:
        has_it = any(key.kind == kind for key in self.named)
        if has_it or not (found := first_in(values, kind)):
            return
        if attrs[kind]:
            self.remarks.add(kind, Code.UNUSABLE, attrs[kind])
        self.remarks.add(kind, Code.FOUND, found)
        attrs[kind] = found
        self.named = _named(attrs)


def _named(attrs: dict[str, Any]) -> frozenset[IdentityKey]:
    return identities(
        emails=[attrs["email"]], phones=[attrs["phone"]], region=conf.current().phone_region
    )


def _in_order(fields: dict[str, Any]) -> list[str]:
    return [field for field in PERSON if field in fields]


def _payment() -> ChoiceField:
    return ChoiceField(("kaspi", "card", "manager"), source="payment_method")


class ProftestSerializer(LandingSerializer):
    """The proftest."""

    wanted: tuple[str, ...] = ("name", "email", "phone")

    proftestAnswers = ProftestAnswersField()
    answers = AnswersField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """All kinds of answers go into one field of the model, under the keys they came with."""
        given = {key: attrs.pop(key) for key in ("proftestAnswers", "answers")}
        attrs = super().validate(attrs)
        more = attrs.get("answers", {}).get("answers")
        if isinstance(more, dict) and isinstance(given["answers"], dict):
            given["answers"] = more | given["answers"]
        kept = {key: value for key, value in given.items() if value}
        return attrs | {"answers": attrs.get("answers", {}) | kept}


class ExpressSerializer(LandingSerializer):
    """The express course."""

    paymentMethod = _payment()


class FormSerializer(ProftestSerializer):
    """A form made in the admin: it may send what either of the two does."""

    wanted = LandingSerializer.wanted

    paymentMethod = _payment()


def serializer_of(slug: str) -> type[LandingSerializer]:
    """How the form of that slug is read."""
    return {"proftest": ProftestSerializer, "express": ExpressSerializer}.get(slug, FormSerializer)
