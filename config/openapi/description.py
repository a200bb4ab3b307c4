"""What the OpenAPI document says of the service as a whole: drf-spectacular's settings.

What it says of each address stands beside the views, in ``leads/api/schema.py`` and
``locks_admin/api/schema.py``.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

VERSION = "0.1.0"  # as in pyproject.toml

_DESCRIPTION = """\
Takes the forms of landing pages and keeps exactly one active lead per person in amoCRM.

No address ends with a slash. Every error has one shape: `success` is `false`, `error` is a
sentence for people, and `fields` has the sentences by field where the input is wrong. Sentences
are in Russian; with `Accept-Language: en`, in English.
"""

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "OAS_VERSION": "3.1.0",
    "TITLE": "Lead gateway",
    "VERSION": VERSION,
    "DESCRIPTION": _DESCRIPTION,
    "TAGS": [
        {"name": "Forms", "description": "For landing pages and builders of forms."},
        {"name": "Locks", "description": "For operators and monitoring."},
        {"name": "Documentation", "description": "This document."},
    ],
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "ToldStatus": "leads.api.answer_schemas.TOLD",
        "WholeStatus": "leads.models.Submission.Status",
    },
}


def swagger_ui() -> Path:
    """The folder with Swagger UI's files.

    The package that brings them along is no app here: it would serve a second page of the same
    kind, too, which is two thirds of its ten megabytes.
    """
    package = importlib.util.find_spec("drf_spectacular_sidecar")
    if package is None or package.origin is None:
        raise ImportError("drf-spectacular-sidecar is not installed: make install")
    static = Path(package.origin).parent / "static" / "drf_spectacular_sidecar"
    return static / "swagger-ui-dist"
