"""Computed colours, and how far they stand out from each other."""

from __future__ import annotations

import re

from playwright.sync_api import Locator


def colour(of: Locator, name: str) -> tuple[int, int, int]:
    """A computed colour as red, green and blue."""
    text = of.evaluate("(node, name) => getComputedStyle(node).getPropertyValue(name)", name)
    red, green, blue = re.findall(r"\d+", text)[:3]
    return int(red), int(green), int(blue)


def contrast(of: Locator) -> float:
    """The contrast of an element's text to the nearest ground under it."""
    ground = of.evaluate(
        """node => {
            for (; node; node = node.parentElement) {
                const found = getComputedStyle(node).backgroundColor;
                if (!found.endsWith(", 0)") && found !== "transparent") return found;
            }
            return "rgb(255, 255, 255)";
        }"""
    )
    red, green, blue = map(int, re.findall(r"\d+", ground)[:3])
    return ratio(colour(of, "color"), (red, green, blue))


def ratio(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """WCAG's contrast ratio."""
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(parts: tuple[int, int, int]) -> float:
    """WCAG's relative luminance."""
    red, green, blue = (
        part / 255 / 12.92 if part / 255 <= 0.03928 else ((part / 255 + 0.055) / 1.055) ** 2.4
        for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
