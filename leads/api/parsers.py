"""Bodies of a bounded size in every encoding that browsers and builders of forms send."""

from __future__ import annotations

import codecs
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import IO, Any, ClassVar, NoReturn
from urllib.parse import parse_qsl

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import FileUploadHandler, SkipFile
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from leads.api.form_encoding import nested

#: In bytes, without files.
MAX_BODY = 64 * 1024
#: In bytes, with files, of which only the names are read.
MAX_MULTIPART = 8 * 1024 * 1024
#: How deeply lists and objects may lie in each other.
MAX_DEPTH = 32
MAX_FIELDS = 1000
#: Longer whole numbers are texts: Python reads no more than 4,300 digits.
MAX_DIGITS = 1000


class BodyTooBig(APIException):
    """413: the body is bigger than a form can be."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The request is too big: at most 64 KiB are accepted, 8 MiB with files.")


class Unreadable(ParseError):
    """400: what the body means cannot be found out. ``body`` is what there is of it."""

    def __init__(self, detail: Any, body: bytes = b"") -> None:
        super().__init__(detail)
        self.body = body


class Form(dict[str, Any]):
    """A parsed body. ``files`` has the names of the files that came along and were dropped,
    ``is_encoded`` says that it came as pages without JavaScript send it."""

    files: tuple[str, ...] = ()
    is_encoded = False
    #: What is in none of our fields, by the names it came with: leads.api.builders.
    others: Mapping[str, Any] = MappingProxyType({})

    @classmethod
    def of_pairs(cls, pairs: Iterable[tuple[str, str]], files: Iterable[str] = ()) -> Form:
        """What names and values of a page mean."""
        form = cls(nested(pairs))
        form.is_encoded, form.files = True, tuple(files)
        return form


def media_type_of(request: Request) -> str:
    """What the body is said to be, in lower case and without parameters."""
    return (request.content_type or "").partition(";")[0].strip().lower()


class FormParser(BaseParser, ABC):
    """What the parsers of this module share: they say themselves what they take."""

    media_types: ClassVar[tuple[str, ...]]
    max_size = MAX_BODY

    def takes(self, media_type: str) -> bool:
        """Whether a body of this type, in lower case and without parameters, is for it."""
        return media_type in self.media_types

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Form:
        """The parsed body. Raises :class:`BodyTooBig` before reading it, or :class:`Unreadable`."""
        meta = parser_context["request"].META if parser_context else {}
        announced = str(meta.get("CONTENT_LENGTH") or "0")
        if announced.isdecimal() and int(announced) > self.max_size:
            raise BodyTooBig
        return self.read(stream, media_type or "", meta)

    @abstractmethod
    def read(self, stream: IO[Any], media_type: str, meta: Mapping[str, Any]) -> Form:
        """What the body means."""


class BoundedJSONParser(FormParser):
    """JSON without what only Python calls JSON: in UTF-8, or from a server that is older."""

    media_type = "application/json"
    media_types = ("application/json", "text/json")

    def takes(self, media_type: str) -> bool:
        """Also ``application/ld+json`` and its like."""
        return super().takes(media_type) or media_type.endswith("+json")

    def read(self, stream: IO[Any], media_type: str, meta: Mapping[str, Any]) -> Form:
        """The object."""
        return json_object(_bounded(stream))


class TextParser(FormParser):
    """Form-encoded, the lines of a page's ``enctype="text/plain"``, or JSON under a wrong name:
    a beacon's ``text/plain``, a curl without a header, nothing at all."""

    media_type = "application/x-www-form-urlencoded"
    media_types = (media_type, "text/plain", "")

    def read(self, stream: IO[Any], media_type: str, meta: Mapping[str, Any]) -> Form:
        """The object that the pairs or the JSON mean."""
        body = _bounded(stream)
        if body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"[") or b"=" not in body:
            return json_object(body)
        if media_type.lower().startswith("text/plain") and _is_in_lines(body):
            return Form.of_pairs(_lines(_text(body)))
        try:
            return Form.of_pairs(_pairs(body, "utf-8", errors="strict"))
        except UnicodeDecodeError:  # from a page that is older than UTF-8
            return Form.of_pairs(_pairs(body, "windows-1251", errors="replace"))


class MultipartParser(FormParser):
    """``multipart/form-data`` without its files."""

    media_type = "multipart/form-data"
    media_types = (media_type,)
    max_size = MAX_MULTIPART

    def read(self, stream: IO[Any], media_type: str, meta: Mapping[str, Any]) -> Form:
        """The object that the parts mean."""
        files, head = _FileNames(), _Head(stream)
        try:
            given: Any = head  # a request reads like a file, to everything but its types
            meta = {**meta, "CONTENT_TYPE": media_type}
            parser = _MultiPartParser(meta, given, [files], encoding="latin-1")
            fields, _none = parser.parse()
        except RequestDataTooBig as error:
            raise BodyTooBig from error
        except (MultiPartParserError, TooManyFieldsSent, TooManyFilesSent) as error:
            raise Unreadable(_("The request is not a valid form."), head.body) from error
        pairs = [
            (_from_latin(name), _from_latin(str(value)))
            for name, values in fields.lists()
            for value in values
        ]
        if sum(len(name) + len(value) for name, value in pairs) > MAX_BODY:
            raise BodyTooBig
        return Form.of_pairs(pairs, files.names)


class _MultiPartParser(MultiPartParser):
    """Django's, made to read Latin-1: bytes stay what they are until a whole text tells what it
    is in."""

    def sanitize_file_name(self, file_name: str) -> str | None:
        return super().sanitize_file_name(_from_latin(file_name))


class _Head:
    """Reads from a stream, and remembers how it began."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream
        self.body = b""

    def read(self, size: int = -1) -> bytes:
        chunk: bytes = self._stream.read(size)
        self.body += chunk[: MAX_BODY - len(self.body)]
        return chunk


class _FileNames(FileUploadHandler):
    """Reads past every file."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> NoReturn:
        self.names.append(file_name)
        raise SkipFile

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Nothing is received."""

    def file_complete(self, file_size: int) -> None:
        """Nothing is kept."""


def is_deeper(value: Any, levels: int) -> bool:
    """Whether something lies in ``value`` more than so many levels deep."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(is_deeper(one, levels - 1) for one in inner)


def _bounded(stream: IO[Any]) -> bytes:
    body: bytes = stream.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise BodyTooBig
    return body


def json_object(body: bytes) -> Form:
    """The object, or the only one of a list. Raises :class:`Unreadable`."""
    try:
        parsed = json.loads(_text(body), parse_constant=_refuse_constant, parse_int=_number)
        parsed = _cut(parsed, MAX_DEPTH)
    except (ValueError, RecursionError) as error:
        raise Unreadable(_("The request is not valid JSON."), body) from error
    if isinstance(parsed, list) and len(parsed) == 1:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        raise Unreadable(_("The request must be a JSON object."), body)
    return Form(parsed)


def _text(sent: bytes) -> str:
    """What ``sent`` says: in UTF-8, or from a page that is older."""
    try:
        return sent.decode("utf-8-sig")
    except UnicodeDecodeError:
        return sent.decode("windows-1251", errors="replace")


def _from_latin(text: str) -> str:
    """What a text says whose bytes were read as Latin-1."""
    return _text(text.encode("latin-1"))


def _number(digits: str) -> int | str:
    """What is too long for a number is a text."""
    return int(digits) if len(digits) <= MAX_DIGITS else digits


def _cut(value: Any, levels: int) -> Any:
    """``value``, of which what lies more than so many levels deep is its JSON."""
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return [_cut(one, levels - 1) for one in value]
    return {key: _cut(one, levels - 1) for key, one in value.items()}


def _is_in_lines(body: bytes) -> bool:
    """Whether browsers have sent it as ``text/plain``: a field a line, nothing escaped."""
    return b"\r\n" in body.rstrip() or (body.endswith(b"\r\n") and b"&" not in body)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Names and values; a line without a name goes on with the one before."""
    name, value = "", ""
    for line in text.splitlines():
        before, sign, after = line.partition("=")
        if not sign:
            value = f"{value}\n{line}"
            continue
        if name:
            yield name, value
        name, value = before.strip(), after
    if name:
        yield name, value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _pairs(body: bytes, encoding: str, *, errors: str) -> Iterable[tuple[str, str]]:
    text = body.decode(encoding, errors)
    try:
        return parse_qsl(
            text,
            keep_blank_values=True,
            encoding=encoding,
            errors=errors,
            max_num_fields=MAX_FIELDS,
        )
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise Unreadable(_("The request is not a valid form."), body) from error
