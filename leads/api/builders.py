"""Forms as builders send them, in the names that our own pages use.

===========  ======================================================  =======================
builder      known by                                                its fields
===========  ======================================================  =======================
Tilda        ``tranid``, ``formid``; UTM in ``COOKIES``              ``Name``, ``Phone``, …
Elementor    ``form_id`` and ``form_name``                           their labels
Elementor,   ``fields``: objects with ``value``, and ``id``,         ``id``, ``title``
WordPress    ``title`` or ``type``
Meta         ``field_data``: objects with ``name`` and ``values``,   ``name``
             also inside ``entry[].changes[].value``
===========  ======================================================  =======================

What a builder sends besides is an answer; its own technical fields go into the metadata.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from leads.api.copying import from_json
from leads.api.field_names import NAMES, field_called, is_mark, is_surname, plain
from leads.api.parsers import Form
from leads.models import LandingForm

#: What the fields of a page are called there, by their names: from landing.js.
LABELS = "_labels"
_COOKIES = "COOKIES"
_DESCRIBED = ("fields", "field_data")
_TECHNICAL = {
    "tranid", "formid", "formname", "form", "meta", "pageurl", "useragent", "remoteip",
    "poweredby", "id", "createdtime", "adid", "adname", "adsetid", "adsetname",
    "campaignid", "campaignname", "isorganic", "platform", "leadgenid", "pageid", "requestid",
}  # fmt: skip
_TECHNICAL_OF_ELEMENTOR = {"date", "time"}  # with others a visitor fills them in
_OURS = {
    *NAMES, "source", "campaignSlug", "utmParams", "metadata", "proftestAnswers", "answers",
    "moreAnswers", "consent",
}  # fmt: skip
_TYPES = {"email": "email", "tel": "phone", "phone": "phone"}

Pair = tuple[str, str, Any]  # what it is called, what type it says it has, its value


@dataclass(frozen=True)
class Read:
    """A form under our names. ``transaction`` is the builder's own id of it, if it has one."""

    form: Form
    is_from_builder: bool = False
    transaction: str = ""


def is_test(form: Form) -> bool:
    """Whether Tilda asks if anybody is there: it will not be connected without a 200."""
    return form == {"test": "test"}


def read(sent: Form, landing_form: LandingForm | None) -> Read:
    """What ``sent`` means. A form that uses our own names stays as it is. What else it has is an
    answer if a builder sent it or the form keeps all, save what begins with ``_``: that is between
    the page and its server. With the labels that landing.js sends it is an answer as well, under
    the page's label unless the form has one itself. Of no form all is kept."""
    sent = _without_envelope(sent)
    pairs = list(_pairs(sent))
    is_from_builder, is_elementors = _is_builders(sent), _is_elementors(sent)
    form = Form({key: value for key, value in sent.items() if key in _OURS})
    others: dict[str, Any] = {}
    form.files = sent.files
    form.others = others
    technical: dict[str, Any] = {}
    surname = ""
    marks = _marks_of_tilda(sent.get(_COOKIES))
    for name, kind, value in pairs:
        field = _TYPES.get(kind) or field_called(name)
        if field and not _holds(form, field):
            form[field] = value
        elif is_mark(name):
            marks[name.strip().lower()] = value
        elif is_surname(name) and isinstance(value, str):
            surname = value
        elif name.startswith("_") or (
            is_from_builder
            and (
                plain(name) in _TECHNICAL
                or (is_elementors and plain(name) in _TECHNICAL_OF_ELEMENTOR)
            )
        ):
            technical[name] = value
        else:
            others[name] = value
    if surname and isinstance(form.get("name", ""), str):
        form["name"] = f"{form.get('name', '')} {surname}"
    _set_missing(form, "utmParams", marks)
    labels = sent.get(LABELS)
    if isinstance(labels, dict) and isinstance(form.get("answers", {}), dict):
        labelled = landing_form.labelled() if landing_form else ()
        form["answers"] = _by_labels(others, labels, labelled) | form.get("answers", {})
        others = {}
    if is_from_builder:
        if "answers" in form and LABELS not in sent:
            others["answers"] = form.pop("answers")
        _set_missing(form, "source", _name_of_form(sent))
        _set_missing(form, "metadata", technical)
    if is_from_builder or landing_form is None or landing_form.keeps_all:
        _set_missing(form, "moreAnswers", others)
    return Read(form, is_from_builder, str(sent.get("tranid") or ""))


def _by_labels(
    fields: Mapping[str, Any], labels: Mapping[str, Any], labelled: Collection[str]
) -> dict[str, Any]:
    """What is called the same on the page is one list."""
    answers: dict[str, Any] = {}
    for name, value in fields.items():
        label = name if name in labelled else str(labels.get(name) or name)
        values = value if isinstance(value, list) else [value]
        answers.setdefault(label, []).extend(values)
    return {label: values[0] if len(values) == 1 else values for label, values in answers.items()}


def _is_builders(sent: Form) -> bool:
    known_by = {"tranid", "formid", *_DESCRIBED}
    return _is_elementors(sent) or bool(known_by & sent.keys())


def _is_elementors(sent: Form) -> bool:
    return sent.keys() >= {"form_id", "form_name"}


def _without_envelope(sent: Form) -> Form:
    """What a webhook of Meta tells of one lead: ``entry[].changes[].value``. Of several leads
    nobody knows which is meant."""
    match sent.get("entry"):
        case [{"changes": [{"value": {"field_data": _} as lead}]}]:
            unwrapped = Form(lead)
            unwrapped.files = sent.files
            return unwrapped
    return sent


def _pairs(sent: Form) -> Iterator[Pair]:
    for key, value in sent.items():
        described = from_json(value) if key in _DESCRIBED else None
        if isinstance(described, dict):
            yield from _described(described.items())
        elif isinstance(described, list):
            yield from _described(enumerate(described))
        elif key not in _OURS and key != _COOKIES:
            yield key, "", value


def _described(fields: Iterable[tuple[Any, Any]]) -> Iterator[Pair]:
    """Fields that say themselves what they are called."""
    for key, field in fields:
        if not isinstance(field, dict):
            yield str(key), "", field
            continue
        called = [str(field[one]) for one in ("title", "label", "name", "id") if field.get(one)]
        called.append(str(key))
        name = next((one for one in called if field_called(one) or is_mark(one)), called[0])
        value: Any = field.get("value", field.get("values", field.get("raw_value", "")))
        is_only_one = isinstance(value, list) and len(value) == 1  # as Meta writes each
        yield name, str(field.get("type", "")).lower(), value[0] if is_only_one else value


def _marks_of_tilda(cookies: Any) -> dict[str, Any]:
    """``TILDAUTM=utm_source%3Dgoogle%7C%7C%7Cutm_medium%3Dcpc%7C%7C%7C``."""
    if not isinstance(cookies, str):
        return {}
    pairs = (cookie.strip().partition("=") for cookie in cookies.split(";"))
    whole = next((unquote(value) for name, _, value in pairs if name == "TILDAUTM"), "")
    parts = (part.partition("=") for part in whole.split("|||"))
    return {name: unquote(value) for name, _, value in parts if name and value}


def _name_of_form(sent: Form) -> Any:
    form = sent.get("form")
    names = [sent.get(one) for one in ("formname", "form_name", "formid", "form_id")]
    if isinstance(form, dict):
        names = [form.get("name"), form.get("id"), *names]
    return next((name for name in names if name), "")


def _set_missing(form: Form, field: str, value: Any) -> None:
    if value and not _holds(form, field):
        form[field] = value


def _holds(form: Form, field: str) -> bool:
    return form.get(field) not in (None, "", [], {})
