"""Contacts: lists and pages, writing, and what a PATCH replaces."""

from __future__ import annotations

import pytest

from tests.amocrm.sandbox.conftest import Crm


def names(crm: Crm, **params: object) -> list[str]:
    answer = crm.get("contacts", **params)
    return [one["name"] for one in answer.json()["_embedded"]["contacts"]]


def test_an_empty_account_answers_204_to_a_list_and_to_an_unknown_id(crm: Crm) -> None:
    assert crm.get("contacts").status_code == 204
    assert crm.get("contacts/1").status_code == 204


def test_pages_are_followed_by_their_next_link_to_the_end(crm: Crm) -> None:
    crm.seed(contacts=[{"name": f"{n}"} for n in range(5)])
    seen: list[str] = []
    url = f"{crm.url}/api/v4/contacts?limit=2"
    pages = 0
    while url:
        body = crm.session.get(url, timeout=10).json()
        seen += [one["name"] for one in body["_embedded"]["contacts"]]
        url = body["_links"].get("next", {}).get("href", "")
        pages += 1
    assert (seen, pages) == (["0", "1", "2", "3", "4"], 3)
    assert crm.get("contacts", limit=2, page=4).status_code == 204


def test_a_limit_over_250_is_clipped_without_a_word(crm: Crm) -> None:
    crm.seed(contacts=[{"name": "x"}] * 251)
    body = crm.get("contacts", limit=500).json()
    assert len(body["_embedded"]["contacts"]) == 250
    assert "limit=250" in body["_links"]["next"]["href"]


def test_order_works_by_id_update_and_name_but_not_by_creation(crm: Crm) -> None:
    crm.seed(
        contacts=[
            {"name": "b", "created_at": 300, "updated_at": 300},
            {"name": "c", "created_at": 100, "updated_at": 900},
            {"name": "a", "created_at": 200, "updated_at": 600},
        ]
    )
    assert names(crm, **{"order[id]": "desc"}) == ["a", "c", "b"]
    assert names(crm, **{"order[updated_at]": "asc"}) == ["b", "a", "c"]
    assert names(crm, **{"order[name]": "desc"}) == ["c", "b", "a"]
    assert names(crm, **{"order[created_at]": "asc"}) == ["b", "c", "a"]


def test_an_unknown_filter_returns_the_whole_collection(crm: Crm) -> None:
    ids, _ = crm.seed(contacts=[{"name": "a"}, {"name": "b"}])
    assert names(crm, **{"filter[email]": "x@y.z"}) == ["a", "b"]
    assert names(crm, **{"filter[id][]": ids[0]}) == ["a", "b"]


def test_the_id_filter_works_where_the_account_has_the_filter(crm: Crm) -> None:
    ids, _ = crm.seed(contacts=[{"name": "a"}, {"name": "b"}])
    crm.control.config(is_api_filter_enabled=True)
    assert names(crm, **{"filter[id][]": ids[1]}) == ["b"]
    assert names(crm, **{"filter[email]": "x@y.z"}) == ["a", "b"]


@pytest.mark.parametrize("enabled", [True, False])
def test_fifty_ids_at_once_bring_those_that_exist_or_without_the_filter_everything(
    crm: Crm, enabled: bool
) -> None:
    ids, _ = crm.seed(contacts=[{"name": f"{n}"} for n in range(60)])
    crm.control.config(is_api_filter_enabled=enabled)
    unknown = [ids[-1] + 2, ids[-1] + 4]
    asked = {"filter[id][]": [*ids[10:58], *unknown], "limit": 250}
    assert names(crm, **asked) == [str(n) for n in (range(10, 58) if enabled else range(60))]
    status = crm.get("contacts", **{"filter[id][]": unknown}).status_code
    assert status == (204 if enabled else 200)


def test_the_id_filter_works_for_leads_and_each_may_have_a_place(crm: Crm) -> None:
    _, ids = crm.seed(leads=[{"name": "a"}, {"name": "b"}, {"name": "c"}])
    crm.control.config(is_api_filter_enabled=True)
    answer = crm.get("leads", **{"filter[id][0]": ids[2], "filter[id][1]": ids[0]})
    assert [one["id"] for one in answer.json()["_embedded"]["leads"]] == [ids[0], ids[2]]


@pytest.mark.parametrize("what", ["contacts", "leads"])
def test_the_filter_by_update_works_where_the_account_has_the_filter(crm: Crm, what: str) -> None:
    crm.control.seed(**{what: [{"name": f"{at}", "updated_at": at} for at in (100, 200, 300, 400)]})

    def shown(**bounds: object) -> list[str]:
        asked = {f"filter[updated_at][{key}]": value for key, value in bounds.items()}
        answer = crm.get(what, **asked)
        return [one["name"] for one in answer.json()["_embedded"][what]]

    everything = ["100", "200", "300", "400"]
    assert shown(**{"from": 200, "to": 300}) == everything
    crm.control.config(is_api_filter_enabled=True)
    assert shown(**{"from": 200, "to": 300}) == ["200", "300"]
    assert shown(**{"from": 201}) == ["300", "400"]
    assert shown(to=299) == ["100", "200"]
    assert shown(to="yesterday") == everything


def test_leads_are_embedded_only_when_asked_for_and_only_as_ids(crm: Crm) -> None:
    (contact_id,), (lead_id,) = crm.seed(contacts=[{"name": "a"}], leads=[{"contact": 0}])
    assert "leads" not in crm.get(f"contacts/{contact_id}").json()["_embedded"]
    for answer in (
        crm.get(f"contacts/{contact_id}", **{"with": "leads"}).json(),
        crm.get("contacts", **{"with": "leads"}).json()["_embedded"]["contacts"][0],
    ):
        (lead,) = answer["_embedded"]["leads"]
        assert lead["id"] == lead_id
        assert lead.keys() == {"id", "_links"}


def test_a_contact_without_fields_has_null_for_them(crm: Crm) -> None:
    contact_id = crm.add_contact()
    assert crm.get(f"contacts/{contact_id}").json()["custom_fields_values"] is None


def test_values_are_kept_as_typed_with_their_enum(crm: Crm) -> None:
    rows = [
        {"field_code": "PHONE", "values": [{"value": "8 (777) 111-22-33", "enum_code": "MOB"}]},
        {
            "field_id": 66186,
            "values": [{"value": "a@b.kz", "enum_id": 193202}, {"value": "c@d.kz"}],
        },
    ]
    answer = crm.post("contacts", [{"name": "a", "custom_fields_values": rows}])
    contact_id = answer.json()["_embedded"]["contacts"][0]["id"]
    phone, email = crm.get(f"contacts/{contact_id}").json()["custom_fields_values"]
    assert (phone["field_id"], phone["field_code"], phone["field_type"]) == (
        66192,
        "PHONE",
        "multitext",
    )
    assert phone["values"] == [
        {"value": "8 (777) 111-22-33", "enum_id": 193230, "enum_code": "MOB"}
    ]
    assert [(one["value"], one["enum_code"]) for one in email["values"]] == [
        ("a@b.kz", "PRIV"),
        ("c@d.kz", "WORK"),
    ]


def test_older_answers_say_enum_for_enum_code(crm: Crm) -> None:
    contact_id = crm.add_contact(email="a@b.kz")
    crm.control.config(old_enum_key=True)
    (row,) = crm.get(f"contacts/{contact_id}").json()["custom_fields_values"]
    assert row["values"] == [{"value": "a@b.kz", "enum_id": 193200, "enum": "WORK"}]


def test_a_patch_replaces_all_values_of_a_multitext_and_leaves_other_fields(crm: Crm) -> None:
    (contact_id,), _ = crm.seed(
        contacts=[{"name": "a", "emails": ["a@b.kz"], "phones": ["1111111", "2222222"]}]
    )
    row = {"field_code": "PHONE", "values": [{"value": "3333333"}]}
    crm.patch(f"contacts/{contact_id}", {"custom_fields_values": [row]})
    assert crm.contact_values(contact_id, "PHONE") == ["3333333"]
    assert crm.contact_values(contact_id, "EMAIL") == ["a@b.kz"]
    assert crm.get(f"contacts/{contact_id}").json()["name"] == "a"


@pytest.mark.parametrize("values", [None, []])
def test_a_patch_with_no_values_empties_the_field(crm: Crm, values: list[object] | None) -> None:
    contact_id = crm.add_contact(email="a@b.kz")
    row = {"field_code": "EMAIL", "values": values}
    crm.patch("contacts", [{"id": contact_id, "custom_fields_values": [row]}])
    assert crm.get(f"contacts/{contact_id}").json()["custom_fields_values"] is None


def test_first_and_last_name_make_the_name(crm: Crm) -> None:
    answer = crm.post("contacts", [{"first_name": "Пётр", "last_name": "Смирнов"}])
    contact_id = answer.json()["_embedded"]["contacts"][0]["id"]
    crm.patch(f"contacts/{contact_id}", {"first_name": "Иван"})
    body = crm.get(f"contacts/{contact_id}").json()
    assert (body["name"], body["first_name"], body["last_name"]) == (
        "Иван Смирнов",
        "Иван",
        "Смирнов",
    )


def test_request_ids_are_echoed_and_default_to_the_place(crm: Crm) -> None:
    answer = crm.post("contacts", [{"name": "a"}, {"name": "b", "request_id": "mine"}])
    rows = answer.json()["_embedded"]["contacts"]
    assert [one["request_id"] for one in rows] == ["0", "mine"]


def test_posting_the_same_twice_makes_two_contacts(crm: Crm) -> None:
    body = [{"name": "a", "request_id": "same"}]
    crm.post("contacts", body)
    crm.post("contacts", body)
    assert names(crm) == ["a", "a"]


@pytest.mark.parametrize(
    ("setting", "is_collection"), [("documented", True), ("embedded", True), ("object", False)]
)
def test_a_patch_of_one_contact_answers_either_way(
    crm: Crm, setting: str, is_collection: bool
) -> None:
    contact_id = crm.add_contact()
    crm.control.config(single_patch_answer=setting)
    body = crm.patch(f"contacts/{contact_id}", {"name": "b"}).json()
    row = body["_embedded"]["contacts"][0] if is_collection else body
    assert row["id"] == contact_id


def test_times_are_whole_seconds_and_a_write_moves_the_update(crm: Crm) -> None:
    contact_id = crm.add_contact()
    before = crm.get(f"contacts/{contact_id}").json()
    crm.control.advance(100)
    crm.patch(f"contacts/{contact_id}", {"name": "b"})
    after = crm.get(f"contacts/{contact_id}").json()
    assert isinstance(after["updated_at"], int)
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] >= before["updated_at"] + 100
