"""What an app's sources mark for translation."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from babel.messages.extract import DEFAULT_KEYWORDS, extract_python
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[1]
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext_lazy": (1, 2),
}


def marked_texts(app: str) -> set[str]:
    """Every text that the Python files and templates of `app` mark (of plurals the singular). The
    sandbox speaks for itself."""
    sources = [
        path.read_text() for path in (ROOT / app).rglob("*.py") if "sandbox" not in path.parts
    ]
    templates = ROOT / "templates"
    for path in (*(templates / "admin" / app).rglob("*.html"), *(templates / app).rglob("*.html")):
        lines = templatize(path.read_text()).splitlines()
        sources.append("\n".join(line.strip() for line in lines))
    found: set[str] = set()
    for source in sources:
        texts: Any = extract_python(io.BytesIO(source.encode()), KEYWORDS, [], {})
        # None: of a call with a variable, whose text is marked elsewhere.
        found |= {text if isinstance(text, str) else text[0] for _, _, text, _ in texts if text}
    return found
