"""Strict reading of the environment: a typing error stops the start, it never becomes a value.

Every problem is a :class:`ConfigError` of one sentence that names the variable, its value
(unless it is a secret) and what to do.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import environ

T = TypeVar("T")

_YES = frozenset({"true", "1", "yes", "on"})
_NO = frozenset({"false", "0", "no", "off"})
_LINE = re.compile(r"(?:export )?[A-Za-z_][A-Za-z_0-9]*=")


class ConfigError(Exception):
    """The configuration cannot be used; ``str()`` is a sentence for whoever starts the service."""


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of an ``env.env`` file, none if there is no such file.

    Raises :class:`ConfigError` for a file that cannot be read or a line that is not
    ``NAME=value``, a comment or blank.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return {}
    except IsADirectoryError:
        raise ConfigError(
            f"{path.name} is a directory: remove it and put a file of NAME=value lines there."
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path.name} cannot be read ({error.strerror}): give this user permission to read it."
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(f"{path.name} is not UTF-8 text: save it in that encoding.") from None
    if "\0" in text:
        raise ConfigError(f"{path.name} holds a NUL byte: save it as plain text.")
    lines = [line.strip() for line in text.splitlines()]
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#") and not _LINE.match(line):
            raise ConfigError(
                f"{path.name}, line {number}: write NAME=value there (no spaces around the"
                " equals sign), or begin the line with #."
            )

    class FileEnv(environ.Env):  # type: ignore[misc]  # the library has no types
        ENVIRON: dict[str, str] = {}

    FileEnv.read_env(io.StringIO("\n".join(lines)))
    return FileEnv.ENVIRON


class Environment:
    """The variables of the process over those of ``env.env``, read by type.

    A variable that is set but blank is refused, except where the getter's default is itself
    "nothing" (``None`` or an empty text): there, blank means that.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    @classmethod
    def load(cls, env_file: Path) -> Environment:
        """Read ``env_file``; what the process environment has wins over it."""
        return cls({**read_env_file(env_file), **os.environ})

    def secret(self, name: str) -> str:
        """Return the value untouched, an empty text if unset."""
        return self._variables.get(name, "")

    def text(self, name: str, default: str | None = None) -> str:
        """Return the trimmed value; without a ``default`` the variable is required."""
        raw = self._raw(name, required=default is None, blank_allowed=default == "")
        return default or "" if raw is None else raw

    def parsed(self, name: str, parse: Callable[[str], T], default: str | None = None) -> T:
        """Return ``parse(value)``, whose :class:`ValueError` says how the value should look."""
        value = self.text(name, default)
        try:
            return parse(value)
        except ValueError as error:
            raise refused(name, value, str(error)) from None

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a switch: true or false (also 1/0, yes/no, on/off, in any case)."""
        raw = self._raw(name)
        if raw is None:
            return default
        if raw.lower() in _YES | _NO:
            return raw.lower() in _YES
        raise refused(name, raw, "write true or false")

    def choice(self, name: str, choices: Iterable[str], default: str) -> str:
        """Return one of ``choices``."""
        raw = self._raw(name)
        known = list(choices)
        if raw is None:
            return default
        if raw in known:
            return raw
        raise refused(name, raw, f"write one of {', '.join(known)}")

    def integer(self, name: str, default: int, *, minimum: int, maximum: int) -> int:
        """Return a whole number within the bounds."""
        raw = self._raw(name)
        return default if raw is None else _whole(name, raw, minimum, maximum)

    def optional_integer(self, name: str) -> int | None:
        """Return a positive whole number, ``None`` if unset or blank."""
        raw = self._raw(name, blank_allowed=True)
        return _whole(name, raw, 1, 2**63 - 1) if raw else None

    def number(self, name: str, default: float, *, minimum: float, maximum: float) -> float:
        """Return a number within the bounds, fractions allowed."""
        raw = self._raw(name)
        if raw is None:
            return default
        advice = f"write a number from {minimum:g} to {maximum:g}"
        if not re.fullmatch(r"\d+(\.\d+)?", raw, re.ASCII):
            raise refused(name, raw, advice)
        value = float(raw)
        if not minimum <= value <= maximum:
            raise refused(name, raw, advice)
        return value

    def items(self, name: str) -> tuple[str, ...]:
        """Return the comma-separated values, trimmed; blank means none."""
        raw = self._raw(name, blank_allowed=True) or ""
        values = tuple(value.strip() for value in raw.split(","))
        if raw and not all(values):
            raise refused(name, raw, "write the values with one comma between each two")
        return values if raw else ()

    def each(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """Return ``parse`` of each comma-separated value, without repetitions."""
        parsed = []
        for value in self.items(name):
            try:
                parsed.append(parse(value))
            except ValueError as error:
                raise refused(name, value, str(error)) from None
        return tuple(dict.fromkeys(parsed))

    def _raw(self, name: str, *, required: bool = False, blank_allowed: bool = False) -> str | None:
        value = self._variables.get(name)
        if value is None:
            if required:
                raise ConfigError(
                    f"{name} is not set: set it in env.env or in the process environment."
                )
            return None
        value = value.strip()
        if not value and not blank_allowed:
            raise ConfigError(
                f"{name} is empty: give it a value in env.env or in the process environment"
                + ("." if required else ", or remove it to get the default.")
            )
        return value


def refused(name: str, value: str, advice: str) -> ConfigError:
    """Return the error for a value that cannot be used; a URL's password is not shown."""
    if name.endswith("_URL") and "@" in value:
        return ConfigError(f"{name} cannot be used: {advice}.")
    return ConfigError(f"{name} is {value!r}: {advice}.")


def _whole(name: str, raw: str, minimum: int, maximum: int) -> int:
    if re.fullmatch(r"\d{1,19}", raw, re.ASCII) and minimum <= int(raw) <= maximum:
        return int(raw)
    if maximum == 2**63 - 1:
        raise refused(name, raw, "write a whole number above zero, or leave it empty")
    raise refused(name, raw, f"write a whole number from {minimum} to {maximum}")
