"""Who sends what: people, their spellings and their forms, decided by one seed.

Every form of a person names the person's *hub* (a phone or an e-mail), or, in a later *wave*,
something that an earlier form has already brought to the CRM: people who are found to be one
only after each has a lead are a case of their own, which no service can prevent.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

PROFTEST = "/api/landing/proftest"
EXPRESS = "/api/landing/submit"
TOGETHER = 25  # forms of one person lie this close together in the order of sending

_FORMS_EACH = (1, 1, 1, 2, 2, 3, 4, 6)
_PAYMENTS = ("kaspi", "card", "manager", None)
_CODES = ("701", "702", "705", "708")


@dataclass(frozen=True)
class Form:
    """One form to be sent. ``wave`` n waits until the person's waves before n are delivered."""

    number: int
    person: int
    wave: int
    path: str
    body: dict[str, Any]

    @property
    def token(self) -> str:
        """What only this form's calls to the CRM contain (it is in the name)."""
        return f"s{self.number:05d}"


@dataclass
class Plan:
    """The forms in the order of sending, and who was in the CRM before."""

    forms: list[Form] = field(default_factory=list)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    leads: list[dict[str, Any]] = field(default_factory=list)
    strangers: set[int] = field(default_factory=set)  # places in ``contacts``
    owner: dict[str, int] = field(default_factory=dict)  # canonical identity → person

    @property
    def people(self) -> set[int]:
        """Everybody who sends something."""
        return {form.person for form in self.forms}


def canonical(text: str) -> str:
    """An e-mail case-folded, a phone as its last ten digits: independent of the service's own."""
    if "@" in text:
        return text.strip().casefold()
    return "".join(sign for sign in text if sign.isdecimal())[-10:]


def plan(submissions: int, seed: int) -> Plan:
    """Everything that will be sent, and everything that is there before."""
    chance = random.Random(seed)
    made = Plan()
    drafts: list[tuple[float, int, int, str, str]] = []
    person = 0
    while len(drafts) < submissions:
        wanted = min(chance.choice(_FORMS_EACH), submissions - len(drafts))
        pairs = _pairs(chance, person, wanted)
        for wave, email, phone in pairs:
            place = len(drafts) + chance.uniform(0, TOGETHER)
            drafts.append((place, person, wave, email, phone))
        for identity in {value for _, *values in pairs for value in values if value}:
            made.owner[canonical(identity)] = person
        _known_before(chance, made, pairs)
        _strangers(chance, made, person)
        person += 1
    drafts.sort(key=lambda draft: (draft[0], draft[2]))
    for number, (_, who, wave, email, phone) in enumerate(drafts):
        made.forms.append(_form(chance, number, who, wave, email, phone))
    return made


def _pairs(chance: random.Random, person: int, wanted: int) -> list[tuple[int, str, str]]:
    """(wave, e-mail, phone) of each form."""
    emails = [f"p{person:05d}{letter}@mail{person % 7}.example" for letter in "abcd"]
    phones = [f"+7{code}{person:07d}" for code in _CODES]
    kind = chance.random()
    if kind < 0.25:  # always the same
        return [(0, emails[0], phones[0])] * wanted
    if kind < 0.6:  # one phone, several e-mails or none
        return [(0, chance.choice([*emails, ""]), phones[0]) for _ in range(wanted)]
    if kind < 0.8:  # one e-mail, several phones
        return [(0, emails[0], chance.choice(phones)) for _ in range(wanted)]
    # A chain: each wave adds an e-mail or a phone to one that is known by then.
    pairs = [(0, emails[0], phones[0])]
    for wave in range(1, wanted):
        _, email, phone = pairs[-1]
        fresh = min(1 + wave // 2, len(emails) - 1)
        pairs.append((wave, emails[fresh], phone) if wave % 2 else (wave, email, phones[fresh]))
    return pairs


def _form(
    chance: random.Random, number: int, person: int, wave: int, email: str, phone: str
) -> Form:
    path = chance.choice((PROFTEST, EXPRESS)) if email else EXPRESS
    body: dict[str, Any] = {
        "name": f"Айгуль s{number:05d}",
        "email": _spelled_email(chance, email),
        "phone": _spelled_phone(chance, phone),
        "source": "chaos",
        "campaignSlug": chance.choice(("autumn", "winter", "")),
        "utmParams": {"utm_source": chance.choice(("google", "instagram")), "utm_term": "chaos"},
    }
    if path == PROFTEST:
        body["proftestAnswers"] = [
            {"questionNumber": n, "question": f"Вопрос {n}?", "answer": chance.choice(("да", 7))}
            for n in range(1, chance.randint(2, 6))
        ]
    else:
        body["paymentMethod"] = chance.choice(_PAYMENTS)
    return Form(number, person, wave, path, body)


def _spelled_email(chance: random.Random, email: str) -> str:
    return chance.choice((email, email.upper(), email.title(), f"  {email} "))


def _spelled_phone(chance: random.Random, phone: str) -> str:
    code, a, b, c = phone[2:5], phone[5:8], phone[8:10], phone[10:12]
    return chance.choice(
        (phone, f"8{phone[2:]}", f"8 ({code}) {a}-{b}-{c}", f"+7 {code} {a} {b} {c}")
    )


def _known_before(chance: random.Random, made: Plan, pairs: list[tuple[int, str, str]]) -> None:
    """Some people are in the CRM: with an active lead, a lost one, or none."""
    if chance.random() > 0.12:
        return
    hubs = [set(values) for _, *values in pairs if values]
    shared = sorted(value for value in set.intersection(*hubs) if value)
    if not shared:
        return
    made.contacts.append(
        {
            "name": "Давний клиент",
            "emails": [value for value in shared if "@" in value],
            "phones": [_spelled_phone(chance, value) for value in shared if "@" not in value],
            "created_at": 1_700_000_000,
        }
    )
    stage = chance.choice((32392159, 32392165, 143, None))
    if stage:
        made.leads.append(
            {
                "name": "Давняя сделка",
                "contact": len(made.contacts) - 1,
                "status_id": stage,
                "created_at": 1_700_000_000,
            }
        )


def _strangers(chance: random.Random, made: Plan, person: int) -> None:
    """Some searches find others: by the end of a phone, by the first half of an e-mail."""
    if chance.random() > 0.1:
        return
    made.strangers.add(len(made.contacts))
    made.contacts.append(
        {
            "name": "Посторонний",
            "emails": [f"p{person:05d}a@elsewhere.example"],
            "phones": [f"+7 (747) {person:07d}"],
            "created_at": 1_700_000_000,
        }
    )
    if chance.random() < 0.5:
        made.leads.append(
            {"name": "Чужая сделка", "contact": len(made.contacts) - 1, "created_at": 1_700_000_000}
        )
