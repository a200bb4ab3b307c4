"""Serializer fields that read what was meant, and remark on what they could not read.

None of them refuses anything: whoever can be reached is not sent away for a detail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs

from rest_framework import serializers

from leads.api.cleaning import clean_line
from leads.api.copying import Copy, as_json, from_json, scalars
from leads.api.reachable import Kind, first_in
from leads.remarks import Code, Remarks

_MOST_UTM = 50
_MOST_ANSWERS = 200
_OF_AN_ANSWER = {"questionNumber", "question", "answer"}


class LenientField(serializers.Field[Any, Any, Any, Any], ABC):
    """What is missing, empty or ``null`` is ``nothing()``, the rest goes through ``read()``."""

    nothing: ClassVar[type] = str

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)

    def __deepcopy__(self, memo: object) -> LenientField:
        """What each form's serializer takes of it: nothing changes but whose it is."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """The value as the model keeps it. Never raises."""
        is_missing = data is serializers.empty or data is None or data == ""
        return self.nothing() if is_missing else self.read(data)

    @abstractmethod
    def read(self, data: Any) -> Any:
        """What ``data`` means."""

    def remark(self, code: Code, value: object = "", *, part: str = "") -> None:
        """Tell operators of it."""
        remarks: Remarks = cast(Any, self.root).remarks
        remarks.add(f"{self.field_name}.{part}" if part else str(self.field_name), code, value)

    def one_text(self, data: Any, longest: int, *, part: str = "") -> str:
        """One line of at most so many characters: of several values the first one."""
        texts = [text for one in scalars(data) if (text := clean_line(one))]
        if isinstance(data, bool):
            self.remark(Code.UNREADABLE, as_json(data), part=part)
        if not texts:
            return ""
        if len(texts) > 1:
            self.remark(Code.SEVERAL, ", ".join(texts[1:]), part=part)
        return self.cut(texts[0], longest, part=part)

    def cut(self, text: str, longest: int, *, part: str = "") -> str:
        """``text``, with a remark if something is cut off."""
        if len(text) <= longest:
            return text
        self.remark(Code.CUT, longest, part=part)
        return text[:longest].rstrip()


class TextField(LenientField):
    """One line of at most ``longest`` characters. Numbers become texts."""

    def __init__(self, longest: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest = longest

    def read(self, data: Any) -> str:
        """The cleaned text."""
        return self.one_text(data, self.longest)


class ContactField(TextField):
    """An e-mail or a phone, as it was typed: of several texts the first one that is such."""

    def __init__(self, kind: Kind, longest: int) -> None:
        super().__init__(longest)
        self.kind = kind

    def read(self, data: Any) -> str:
        """The cleaned text."""
        texts = list(scalars(data))
        if len(texts) < 2:
            return super().read(data)
        return super().read(sorted(texts, key=lambda text: not first_in(text, self.kind)))


class ChoiceField(TextField):
    """One of ``choices`` in any case, or nothing."""

    def __init__(self, choices: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(255, **kwargs)
        self.choices = choices

    def read(self, data: Any) -> str:
        """The choice as the model knows it."""
        text = super().read(data)
        if not text or text.lower() in self.choices:
            return text.lower()
        self.remark(Code.UNREADABLE, text)
        return ""


class ObjectField(LenientField):
    """A JSON object. PHP's empty list is an empty one, a list is one with numbers for names."""

    nothing = dict

    def read(self, data: Any) -> dict[str, Any]:
        """A bounded copy."""
        data = from_json(data)
        if isinstance(data, list):
            data = {str(number): one for number, one in enumerate(data)}
        if not isinstance(data, dict):
            self.remark(Code.UNREADABLE, as_json(data))
            return {}
        copied: dict[str, Any] = Copy(self.remark).of(data)
        return copied


class AnswersField(LenientField):
    """A JSON object or list. Anything else is a list of one."""

    nothing = dict

    def read(self, data: Any) -> Any:
        """A bounded copy."""
        data = from_json(data)
        return Copy(self.remark).of(data if isinstance(data, dict | list) else [data])


class ProftestAnswersField(LenientField):
    """A list of ``questionNumber``, ``question`` and ``answer``, or PHP's object for a list with
    gaps. What is no such thing is an answer without a question."""

    nothing = list

    def read(self, data: Any) -> list[dict[str, Any]]:
        """Bounded copies."""
        data = from_json(data)
        if isinstance(data, dict) and not data.keys() & {"question", "answer"}:
            data = list(data.values())
        given = [one for one in (data if isinstance(data, list) else [data]) if one is not None]
        if len(given) > _MOST_ANSWERS:
            self.remark(Code.TOO_MANY, _MOST_ANSWERS)
        copy = Copy(self.remark)
        return [self._answer(one, copy) for one in given[:_MOST_ANSWERS]]

    def _answer(self, given: Any, copy: Copy) -> dict[str, Any]:
        if not isinstance(given, dict):
            return {"answer": copy.of(given)}
        answer: dict[str, Any] = {}
        number = given.get("questionNumber")
        if isinstance(number, int) and not isinstance(number, bool):
            answer["questionNumber"] = copy.of(number)
        elif text := self.one_text(number, 64, part="questionNumber") if number else "":
            answer["questionNumber"] = text
        if "question" in given and given["question"] is not None:
            answer["question"] = self.one_text(given["question"], 1000, part="question")
        said = given.get("answer")
        return answer | {"answer": copy.of(_unnamed(given) if said is None else said)}


def _unnamed(given: dict[str, Any]) -> Any:
    """What a page means by an answer that it calls otherwise: all that has no name of ours."""
    others = {key: value for key, value in given.items() if key not in _OF_AN_ANSWER}
    return next(iter(others.values())) if len(others) == 1 else others or None


class ConsentField(LenientField):
    """A tick, the text that was agreed to, or an object of ``text``, ``at`` and ``page``."""

    nothing = dict
    _yes = ("on", "yes", "true", "1", "да")
    _no = ("off", "no", "false", "0", "нет")
    parts = (("text", 2000), ("at", 64), ("page", 2000))

    def read(self, data: Any) -> dict[str, str]:
        """The parts that were sent; of a tick alone an empty text."""
        data = from_json(data)
        if isinstance(data, bool):
            data = "on" if data else "off"
        if not isinstance(data, dict):
            text = self.one_text(data, 2000)
            if text.lower() in self._no:
                return {}
            return {"text": "" if text.lower() in self._yes else text} if text else {}
        return {
            part: self.one_text(data[part], longest, part=part)
            for part, longest in self.parts
            if data.get(part)
        }


class UtmField(LenientField):
    """``{"utm_source": "…", …}`` as lower-case keys to texts; empty ones are left out."""

    nothing = dict

    def read(self, data: Any) -> dict[str, str]:
        """An object, PHP's empty list, or the query of an address."""
        data = from_json(data)
        if isinstance(data, str):
            data = parse_qs(data.rpartition("?")[2]) or data
        if data == []:
            return {}
        if not isinstance(data, dict):
            self.remark(Code.UNREADABLE, as_json(data))
            return {}
        texts: dict[str, str] = {}
        for name, value in data.items():
            key = clean_line(name).lower()[:255]
            text = self.one_text(value, 2000, part=key[:64]) if value is not None else ""
            if not text or not key:
                continue
            if len(texts) == _MOST_UTM:
                self.remark(Code.TOO_MANY, _MOST_UTM)
                break
            texts[key] = text
        return texts
