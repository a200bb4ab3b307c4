"""The account, its pipelines and its fields: ids that configuration names."""

from __future__ import annotations

from tests.amocrm.sandbox.conftest import PIPELINE, Crm


def test_the_account_says_who_it_is_and_no_more(crm: Crm) -> None:
    body = crm.get("account").json()
    assert body["id"] > 0
    assert body["current_user_id"] > 0
    assert (body["country"], body["currency"]) == ("KZ", "KZT")
    assert body["name"]
    assert body["subdomain"]
    assert "_embedded" not in body
    assert "is_api_filter_enabled" not in body


def test_the_account_tells_more_when_asked(crm: Crm) -> None:
    named = "datetime_settings,is_api_filter_enabled,version"
    body = crm.get("account", **{"with": named}).json()
    assert body["is_api_filter_enabled"] is False
    assert body["version"] > 0
    times = body["_embedded"]["datetime_settings"]
    assert (times["timezone"], times["timezone_offset"]) == ("Asia/Almaty", "+05:00")


def test_the_time_zone_can_be_chosen(crm: Crm) -> None:
    crm.control.config(timezone="Asia/Kolkata")
    body = crm.get("account", **{"with": "datetime_settings"}).json()
    assert body["_embedded"]["datetime_settings"]["timezone_offset"] == "+05:30"


def test_the_main_pipeline_has_the_stages_that_configuration_names(crm: Crm) -> None:
    body = crm.get(f"leads/pipelines/{PIPELINE}").json()
    assert (body["name"], body["is_main"]) == ("Продажи", True)
    stages = body["_embedded"]["statuses"]
    assert [(one["id"], one["name"], one["sort"], one["type"]) for one in stages] == [
        (32392156, "Неразобранное", 10, 1),
        (32392159, "Новая заявка", 20, 0),
        (32392165, "Профтест пройден", 30, 0),
        (32392168, "Экспресс-курс", 40, 0),
        (32392171, "Kaspi", 50, 0),
        (32392174, "Карта", 60, 0),
        (32392177, "Менеджер", 70, 0),
        (142, "Успешно реализовано", 10000, 0),
        (143, "Закрыто и не реализовано", 11000, 0),
    ]


def test_there_is_a_second_pipeline_with_stages_of_its_own(crm: Crm) -> None:
    body = crm.get("leads/pipelines").json()
    main, second = body["_embedded"]["pipelines"]
    assert (main["id"], second["id"], body["_total_items"]) == (PIPELINE, 3177730, 2)
    shared = {one["id"] for one in main["_embedded"]["statuses"]} & {
        one["id"] for one in second["_embedded"]["statuses"]
    }
    assert shared == {142, 143}


def test_unknown_pipelines_and_stages_are_204(crm: Crm) -> None:
    for path in ("leads/pipelines/1", "leads/pipelines/1/statuses"):
        assert crm.get(path).status_code == 204
    assert crm.get(f"leads/pipelines/{PIPELINE}/statuses/1").status_code == 204


def test_lead_fields_come_in_pages_and_have_the_usual_codes(crm: Crm) -> None:
    codes: list[str] = []
    page = 1
    while (answer := crm.get("leads/custom_fields", limit=5, page=page)).status_code == 200:
        rows = answer.json()["_embedded"]["custom_fields"]
        assert {one["type"] for one in rows} == {"tracking_data"}
        codes += [one["code"] for one in rows]
        page += 1
    assert set(codes) == set(
        [
            "UTM_SOURCE",
            "UTM_MEDIUM",
            "UTM_CAMPAIGN",
            "UTM_CONTENT",
            "UTM_TERM",
            "UTM_REFERRER",
            "REFERRER",
            "FROM",
            "FBCLID",
            "GCLID",
            "YCLID",
            "ROISTAT",
        ]
    )
    assert len(codes) == 12


def test_phone_and_email_are_multitexts_with_their_enums(crm: Crm) -> None:
    rows = crm.get("contacts/custom_fields").json()["_embedded"]["custom_fields"]
    found = {
        one["code"]: [enum["value"] for enum in one["enums"]]
        for one in rows
        if one["type"] == "multitext"
    }
    assert found == {
        "PHONE": ["WORK", "WORKDD", "MOB", "FAX", "HOME", "OTHER"],
        "EMAIL": ["WORK", "PRIV", "OTHER"],
    }
    assert crm.get("leads/custom_fields/66192").status_code == 204
