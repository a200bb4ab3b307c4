"""One kind of answer, whatever is asked for."""

from __future__ import annotations

from collections.abc import Iterable

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class OneRenderer(DefaultContentNegotiation):
    """The view's first renderer: nothing must be lost, or left uncleared, for an ``Accept``
    header."""

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """As REST framework asks for it: the renderer and its media type."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)
