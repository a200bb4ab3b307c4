"""What the landing pages send. Keys that are not named here are ignored."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from amocrm.identity import IdentityKey, parse_email, parse_phone
from leads import conf
from leads.api.fields import BoundedJSONField, TextField, UtmField
from leads.models import Submission

_NAME_WANTED = _("Enter your name.")
_EMAIL_WANTED = _("Enter your e-mail.")
_PHONE_WANTED = _("Enter your phone number.")


def _wanted(message: Any) -> dict[str, Any]:
    return {"required": message, "null": message, "blank": message}


class ProftestAnswerSerializer(serializers.Serializer[Any]):
    questionNumber = BoundedJSONField(types=(int, str), required=False)
    question = TextField(required=False, max_length=1000)
    answer = BoundedJSONField(types=(str, int, float, bool, list, dict), allow_null=True)


class LandingSerializer(serializers.Serializer[Any]):
    """What both forms have in common. ``validated_data`` has the names of the model's fields."""

    form: Submission.Form

    name = TextField(max_length=255, error_messages=_wanted(_NAME_WANTED))
    email = TextField(max_length=320, required=False)
    phone = TextField(max_length=64, error_messages=_wanted(_PHONE_WANTED))
    source = TextField(max_length=255, required=False)  # type: ignore[assignment]
    campaignSlug = TextField(max_length=255, required=False, source="campaign_slug")
    utmParams = UtmField(required=False, source="utm")
    metadata = BoundedJSONField(types=(dict,), required=False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: The e-mail and phone of a valid form as the CRM and the log know them.
        self.named: set[IdentityKey] = set()

    def validate_email(self, value: str) -> str:
        """As typed, once it could be somebody's address."""
        email = parse_email(value)
        if email:
            self.named.add(IdentityKey("email", email))
        elif value:
            raise serializers.ValidationError(_("This is not a valid e-mail address."))
        return value

    def validate_phone(self, value: str) -> str:
        """As typed. A number that names nobody is kept for the note."""
        if phone := parse_phone(value, conf.current().phone_region):
            self.named.add(IdentityKey("phone", phone))
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Drop the optional values that were sent as ``null``. Refuses only a form from which
        nobody can be reached."""
        if not self.named:
            wrong = _("This is not a valid phone number. Enter it with the country code.")
            raise serializers.ValidationError({"phone": [wrong]})
        return {key: value for key, value in attrs.items() if value is not None}


class ProftestSerializer(LandingSerializer):
    form = Submission.Form.PROFTEST

    email = TextField(max_length=320, error_messages=_wanted(_EMAIL_WANTED))
    # Not ``many=True``, which would allow ``null`` in the list as well as in its place.
    proftestAnswers: Any = serializers.ListSerializer(
        child=ProftestAnswerSerializer(),
        required=False,
        allow_null=True,
        max_length=200,
        error_messages={"max_length": _("The value is too big.")},
    )
    answers = BoundedJSONField(types=(dict, list), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Both kinds of answers go into one field of the model, under the keys they came with."""
        attrs = super().validate(attrs)
        attrs["answers"] = {
            key: attrs.pop(key) for key in ("proftestAnswers", "answers") if attrs.get(key)
        }
        attrs.pop("proftestAnswers", None)
        return attrs


class ExpressSerializer(LandingSerializer):
    form = Submission.Form.EXPRESS

    paymentMethod = serializers.ChoiceField(
        choices=("kaspi", "card", "manager"),
        required=False,
        allow_null=True,
        allow_blank=True,
        source="payment_method",
        # Never repeat what was sent: it may hold what no answer can.
        error_messages={"invalid_choice": _("The payment method is kaspi, card or manager.")},
    )
