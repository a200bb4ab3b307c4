"""Every text of the apps has its Russian, and the compiled catalogues are of this source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po
from django.utils import translation
from django.utils.translation import gettext

from tests.marked_texts import marked_texts

ROOT = Path(__file__).resolve().parents[2]
APPS = ["config", "leads", "locks_admin"]
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z.0-9]+|\{\w*\}")


def catalogue_of(app: str) -> Path:
    """The app's Russian, without the name's end."""
    return ROOT / app / "locale" / "ru" / "LC_MESSAGES" / "django"


def translations(catalogue: Catalog) -> dict[str, tuple[str, ...]]:
    """Each text of the catalogue with its translations."""
    found = {}
    for message in catalogue:
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            text = message.string or ""
            found[key] = (text,) if isinstance(text, str) else tuple(text)
    return found


@pytest.mark.parametrize("app", APPS)
def test_every_text_has_its_russian_with_the_same_placeholders(app: str) -> None:
    with catalogue_of(app).with_suffix(".po").open("rb") as file:
        russian = translations(read_po(file, locale="ru"))
    assert set(russian) == marked_texts(app)
    for text, translated in russian.items():
        for one in translated:
            assert one, text
            assert set(PLACEHOLDER.findall(one)) >= set(PLACEHOLDER.findall(text)), text


@pytest.mark.parametrize("app", ["amocrm", *APPS])
def test_no_other_catalogue_wins_over_ours(app: str) -> None:
    """Of two apps that translate one text, Django takes the first installed: its own."""
    path = ROOT / app / "locale" / "ru" / "LC_MESSAGES" / "django.mo"
    with path.open("rb") as file:
        ours = {one.id: one.string for one in read_mo(file) if isinstance(one.id, str) and one.id}
    with translation.override("ru"):
        assert {text: gettext(text) for text in ours} == ours


@pytest.mark.parametrize("app", APPS)
def test_the_compiled_catalogue_is_of_this_source(app: str) -> None:
    with catalogue_of(app).with_suffix(".po").open("rb") as file:
        source = translations(read_po(file, locale="ru"))
    with catalogue_of(app).with_suffix(".mo").open("rb") as file:
        assert translations(read_mo(file)) == source
