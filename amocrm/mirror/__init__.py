"""Who the CRM's contacts are, kept here: which contact carries an e-mail or phone.

The search of the CRM takes a request for one person, and does not show what was made a moment ago.
Whoever delivers many together asks the mirror instead: whom it does not know has no contact. A hit
is only a hint, and sends a person the ordinary way; a miss is what a new lead rests on. So:

- it is filled by a *walk* through all contacts, and kept up to date by the list of those that
  changed last, which is *read* to where it is known already, before anything rests on a miss;
- entries are only added. Those that no walk has seen for a while are removed; until then one that
  is no longer so costs a needless search;
- it earns its trust by *comparisons* with what the ordinary search finds, and loses it at the
  first *lie*.

::

    learning ──a whole walk, and so many comparisons──▶ ready
        ▲  ▲──────a read that does not reach known ground──┘ │
        └──a later walk── distrusted ◀────────a lie──────────┘

It holds keyed digests and ids of contacts, and nobody's e-mail or phone.

``state`` says how far it may be relied upon, ``entries`` is what it holds, made by ``digests``.
``feed`` reads what changed, ``expected`` remembers what that must show, ``walking`` walks, and
``comparing`` holds it to the search.
"""

from amocrm.mirror.comparing import compare
from amocrm.mirror.entries import carriers, contacts_with
from amocrm.mirror.expected import expect
from amocrm.mirror.feed import catch_up
from amocrm.mirror.state import (
    COMPARISONS,
    WALK_AGAIN_AFTER,
    Readiness,
    Standing,
    distrust,
    forget_account,
    leave_walk,
    needs_walk,
    readiness,
    standing,
    take_walk,
)
from amocrm.mirror.walking import Walk, walk

__all__ = [
    "COMPARISONS",
    "WALK_AGAIN_AFTER",
    "Readiness",
    "Standing",
    "Walk",
    "carriers",
    "catch_up",
    "compare",
    "contacts_with",
    "distrust",
    "expect",
    "forget_account",
    "leave_walk",
    "needs_walk",
    "readiness",
    "standing",
    "take_walk",
    "walk",
]
