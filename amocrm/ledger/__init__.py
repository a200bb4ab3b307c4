"""Who is who, and whether a lead may be on its way: the mechanism that keeps the promise.

Every write is one conditional ``UPDATE … WHERE version = <read before looking>``, committed
before the next step. Nobody who looked at an older state can change a newer one, whatever
became of the locks: 0 rows changed raises :class:`~amocrm.errors.PersonChanged`.

The life of a person's lead::

    (none) ──claim──▶ creating ──record──▶ recorded
       ▲                  │ └────adopt────▶ recorded     reconcile found it in the CRM
       └──────release─────┘                              reconcile found that there is none

Whoever came too late *supersedes* the lead it has made: nobody adopts that one any more.

``state`` reads, ``resolution`` decides who is one person, ``contacts`` whose a contact is,
``claims`` moves along the arrows. ``proposals`` are people who may be one, ``decisions`` what
operators make of them; ``namings`` and ``ignored`` know what identifies nobody. ``duplicates``
says where a person's other leads stand.
"""

from amocrm.ledger.claims import (
    adopt,
    claim,
    is_claim_of,
    looked_in_vain,
    record,
    release,
    supersede,
)
from amocrm.ledger.contacts import contact_key, forget_contact, link, mark_on_contact, set_apart
from amocrm.ledger.ignored import identifying
from amocrm.ledger.namings import count_naming, ignore_crowd, is_a_crowd
from amocrm.ledger.proposals import kept_apart, partners
from amocrm.ledger.resolution import CreationPending, resolve
from amocrm.ledger.rows import forget_account, owners
from amocrm.ledger.state import (
    PersonState,
    is_recorded,
    person_changed,
    read,
    version_of,
    with_lead,
)

__all__ = [
    "CreationPending",
    "PersonState",
    "adopt",
    "claim",
    "contact_key",
    "count_naming",
    "forget_account",
    "forget_contact",
    "identifying",
    "ignore_crowd",
    "is_a_crowd",
    "is_claim_of",
    "is_recorded",
    "kept_apart",
    "link",
    "looked_in_vain",
    "mark_on_contact",
    "owners",
    "partners",
    "person_changed",
    "read",
    "record",
    "release",
    "resolve",
    "set_apart",
    "supersede",
    "version_of",
    "with_lead",
]
