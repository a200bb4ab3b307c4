"""The home page and the page of a lead."""

from __future__ import annotations

import re

import pytest

from tests.amocrm.sandbox.conftest import LOST, PROFTEST, Crm


def read(crm: Crm, path: str = "/", language: str = "ru") -> str:
    answer = crm.session.get(crm.url + path, headers={"Accept-Language": language}, timeout=10)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    return answer.text


@pytest.fixture
def lead_id(crm: Crm) -> int:
    _, (lead_id,) = crm.seed(
        contacts=[{"name": "Айгерим", "emails": ["test@onai.academy"], "phones": ["+77771112233"]}],
        leads=[
            {
                "contact": 0,
                "name": "Профтест: Айгерим",
                "status_id": PROFTEST,
                "tags": ["proftest"],
                "fields": {"UTM_SOURCE": "google"},
            }
        ],
    )
    note = {"note_type": "common", "params": {"text": "Ответы:\n1. Дизайн"}}
    crm.post(f"leads/{lead_id}/notes", [note])
    return lead_id


def test_an_empty_board_shows_the_stages_and_what_to_do(crm: Crm) -> None:
    text = read(crm)
    for stage in ("Неразобранное", "Профтест пройден", "Kaspi", "Успешно реализовано"):
        assert stage in text
    assert "Пусто." in text


def test_a_card_shows_lead_contact_tags_and_notes(crm: Crm, lead_id: int) -> None:
    text = read(crm)
    card = text[text.index("<article") : text.index("</article>")]
    for shown in (
        "Профтест: Айгерим",
        "test@onai.academy",
        "+77771112233",
        "proftest",
        "примечаний: 1",
        f'href="/leads/detail/{lead_id}"',
    ):
        assert shown in card


def test_the_page_of_a_lead_shows_notes_fields_and_stage(crm: Crm, lead_id: int) -> None:
    text = read(crm, f"/leads/detail/{lead_id}")
    for shown in ("Ответы:\n1. Дизайн", "utm_source", "google", "Профтест пройден", "Продажи"):
        assert shown in text


def test_an_unknown_lead_has_a_page_that_says_so(crm: Crm) -> None:
    answer = crm.session.get(f"{crm.url}/leads/detail/1", timeout=10)
    assert answer.status_code == 404
    assert "Такой сделки нет." in answer.text


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en-US,en;q=0.9", "amoCRM sandbox"),
        ("ru;q=0.5, en;q=0.8", "amoCRM sandbox"),
        ("kk-KZ,ru;q=0.9,en;q=0.8", "Песочница amoCRM"),
        ("de", "Песочница amoCRM"),
        ("", "Песочница amoCRM"),
        ("en;q=nonsense", "Песочница amoCRM"),
    ],
)
def test_the_page_speaks_the_browsers_language(crm: Crm, language: str, title: str) -> None:
    assert f"<title>{title}</title>" in read(crm, language=language)


def counter(text: str) -> list[int]:
    line = re.search(r'<p class="counter">(.*?)</p>', text)
    assert line is not None
    return [int(one) for one in re.findall(r"<b>(\d+)</b>", line[1])]


def test_the_counter_warns_of_people_with_two_active_leads(crm: Crm, lead_id: int) -> None:
    assert counter(read(crm)) == [1, 1, 0]
    assert 'class="card twice"' not in read(crm)
    _, (second,) = crm.seed(contacts=[{"phones": ["8 777 111 22 33"]}], leads=[{"contact": 0}])
    text = read(crm)
    assert counter(text) == [1, 2, 1]
    assert text.count('class="card twice"') == 2
    crm.control.act("close_lead", lead_id=second, status_id=LOST)
    assert counter(read(crm)) == [1, 1, 0]


def test_everything_typed_by_people_is_escaped(crm: Crm) -> None:
    evil = "<script>alert('x')</script>\"&"
    _, (lead_id,) = crm.seed(
        contacts=[{"name": evil, "emails": [evil], "phones": [evil]}],
        leads=[{"contact": 0, "name": evil, "tags": [evil], "fields": {"UTM_SOURCE": evil}}],
    )
    note = {"note_type": "common", "params": {"text": evil}}
    crm.post(f"leads/{lead_id}/notes", [note])
    for path in ("/", f"/leads/detail/{lead_id}"):
        text = read(crm, path)
        assert "<script>alert" not in text
        assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;" in text


def test_pages_need_no_other_host_and_allow_no_foreign_script(crm: Crm, lead_id: int) -> None:
    for path in ("/", f"/leads/detail/{lead_id}"):
        answer = crm.session.get(crm.url + path, timeout=10)
        assert not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(https?:)?//", answer.text)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        (nonce,) = re.findall(r"'nonce-([^']+)'", policy)
        assert answer.text.count("<script") == answer.text.count(f'<script nonce="{nonce}"') == 1


def test_a_long_column_is_cut_and_says_how_much(crm: Crm) -> None:
    crm.seed(leads=[{"name": f"lead {n}"} for n in range(103)])
    text = read(crm)
    assert text.count("<article") == 100
    assert "ещё 3" in text
