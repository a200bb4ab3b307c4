"""The frame around both pages: style, self-refresh, nothing from other hosts."""

from __future__ import annotations

import secrets
from html import escape

from amocrm.sandbox.api.responses import Answer
from amocrm.sandbox.pages.texts import Language

_STYLE = """
:root { color-scheme: light dark; --back:#f3f4f7; --card:#fff; --text:#1d2530; --soft:#5c6675;
  --line:#dde1e8; --chip:#e9eef6; --link:#1658b5; --bad:#c22b2b; --good:#1d7a3e; }
@media (prefers-color-scheme: dark) { :root { --back:#14181f; --card:#1f2530; --text:#e6e9ee;
  --soft:#9aa5b5; --line:#323b49; --chip:#2c3646; --link:#86b6ff; --bad:#ff8080; --good:#6fd394; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header { padding: 1rem 1.25rem .5rem; }
h1 { font-size: 1.15rem; margin: 0; }
h2 { font-size: 1rem; margin: 1.25rem 0 .4rem; }
p { margin: .25rem 0; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
.soft { color: var(--soft); font-size: .87em; }
.counter { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin-top: .4rem; }
.good b { color: var(--good); } .bad, .bad b { color: var(--bad); }
.board { display: flex; gap: .75rem; align-items: flex-start; overflow-x: auto;
  padding: .75rem 1.25rem 1.5rem; }
.stage { flex: 1 0 11rem; max-width: 20rem; }
.stage > h2 { margin: 0 0 .5rem; padding-top: .45rem; border-top: 4px solid var(--mark);
  font-size: .9rem; display: flex; justify-content: space-between; gap: .5rem; }
.pipeline { padding: 0 1.25rem; margin: .5rem 0 0; font-size: .95rem; color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem .7rem; margin-bottom: .6rem; overflow-wrap: anywhere; }
.card.twice { border: 2px solid var(--bad); }
.chips { display: flex; flex-wrap: wrap; gap: .25rem; margin-top: .35rem; }
.chip { background: var(--chip); border-radius: 9px; padding: 0 .5rem; font-size: .8em; }
.sheet { max-width: 48rem; padding: 0 1.25rem 2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.note { white-space: pre-wrap; }
@media (max-width: 640px) {
  .board { flex-direction: column; align-items: stretch; }
  .stage { flex: none; max-width: none; }
  .stage.bare { opacity: .6; }
}
"""

_REFRESH = """
setInterval(async () => {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, {cache: "no-store"});
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const here = document.querySelector("main"), there = fresh.querySelector("main");
    if (!there || here.innerHTML === there.innerHTML) return;
    const across = here.querySelector(".board")?.scrollLeft;
    here.innerHTML = there.innerHTML;
    const board = here.querySelector(".board");
    if (board && across) board.scrollLeft = across;
  } catch (error) { /* the sandbox is stopped: keep showing what there was */ }
}, 2000);
"""


def framed(status: int, *, language: Language, title: str, main: str) -> Answer:
    """A whole page. ``main`` is HTML already, ``title`` is text."""
    nonce = secrets.token_urlsafe(12)
    text = (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style>"
        '<noscript><meta http-equiv="refresh" content="5"></noscript></head>'
        f'<body><main>{main}</main><script nonce="{nonce}">{_REFRESH}</script></body></html>\n'
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Vary": "Accept-Language",
    }
    return Answer(status, text.encode(), "text/html", headers)


def chips(names: list[str]) -> str:
    """Tags as HTML."""
    inside = "".join(f'<span class="chip">{escape(name)}</span>' for name in names)
    return f'<div class="chips">{inside}</div>' if names else ""
