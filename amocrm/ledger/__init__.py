"""Who is who, and whether a lead may be on its way: the mechanism that keeps the promise.

Every write is one conditional ``UPDATE … WHERE version = <read before looking>``, committed
before the next step. Nobody who looked at an older state can change a newer one, whatever
became of the locks: 0 rows changed raises :class:`~amocrm.errors.ClaimLost`.

The life of a person's lead::

    (none) ──claim──▶ creating ──record──▶ recorded
       ▲                  │ └────adopt────▶ recorded     reconcile found it in the CRM
       └──────release─────┘                              reconcile found that there is none

Whoever was overtaken disowns the lead it has made all the same: nobody adopts it any more.

``state`` reads, ``naming`` decides who is one person, ``claims`` moves along the arrows.
"""

from amocrm.ledger.claims import adopt, claim, disown, is_claim_of, record, release
from amocrm.ledger.resolution import (
    ClaimStands,
    contact_key,
    forget_account,
    forget_contact,
    learn,
    name,
    owners,
)
from amocrm.ledger.state import PersonState, claim_lost, is_recorded, read, version_of

__all__ = [
    "ClaimStands",
    "PersonState",
    "adopt",
    "claim",
    "claim_lost",
    "contact_key",
    "disown",
    "forget_account",
    "forget_contact",
    "is_claim_of",
    "is_recorded",
    "learn",
    "name",
    "owners",
    "read",
    "record",
    "release",
    "version_of",
]
