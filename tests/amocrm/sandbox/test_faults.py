"""Everything that can go wrong between a request and its answer, on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
import requests

from amocrm.sandbox.control_client import ControlError
from tests.amocrm.sandbox.conftest import Crm

COMPLEX = "/api/v4/leads/complex"


def create(crm: Crm, name: str = "x", **given: float) -> requests.Response:
    body = [{"name": name, "_embedded": {"contacts": [{"name": name}]}}]
    return crm.session.post(crm.url + COMPLEX, json=body, timeout=given.get("timeout", 10))


def leads(crm: Crm) -> list[str]:
    return [one["name"] for one in crm.control.state()["leads"]]


def eventually(holds: Callable[[], bool]) -> None:
    """Wait for something that other threads are doing; at most ten seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


def test_a_lost_answer_is_carried_out_and_closed_without_a_byte(crm: Crm) -> None:
    crm.control.fault("lose_answer", method="POST", path=COMPLEX)
    with pytest.raises(requests.ConnectionError, match="RemoteDisconnected"):
        create(crm)
    assert leads(crm) == ["x"]
    assert create(crm).status_code == 200


def test_a_reset_carries_nothing_out_unless_told_to(crm: Crm) -> None:
    crm.control.fault("reset")
    with pytest.raises(requests.ConnectionError, match="ConnectionResetError"):
        create(crm)
    assert leads(crm) == []
    crm.control.fault("reset", commit=True)
    with pytest.raises(requests.ConnectionError, match="ConnectionResetError"):
        create(crm)
    assert leads(crm) == ["x"]


def test_a_late_request_is_carried_out_after_its_sender_was_sent_away(crm: Crm) -> None:
    crm.control.fault("apply_late", delay=3600)
    with pytest.raises(requests.ConnectionError):
        create(crm)
    assert leads(crm) == []
    assert crm.control.state()["late_writes"] == 1
    assert crm.control.apply_late() == 1
    assert leads(crm) == ["x"]
    assert crm.control.apply_late() == 0


def test_a_late_request_is_carried_out_by_itself_when_its_time_comes(crm: Crm) -> None:
    crm.control.fault("apply_late", delay=0.05, hold=True)
    with pytest.raises(requests.ConnectionError):
        create(crm)
    eventually(lambda: leads(crm) == ["x"])


def test_a_held_late_request_times_its_sender_out(crm: Crm) -> None:
    crm.control.fault("apply_late", delay=0.5, hold=True)
    with pytest.raises(requests.Timeout):
        create(crm, timeout=0.05)


def test_a_late_request_does_not_reach_into_an_account_that_was_reset(crm: Crm) -> None:
    crm.control.fault("apply_late", delay=0.2)
    with pytest.raises(requests.ConnectionError):
        create(crm)
    crm.control.reset()
    assert crm.control.apply_late() == 0
    assert leads(crm) == []


def test_a_request_delayed_over_a_reset_is_dropped(crm: Crm) -> None:
    crm.control.fault("delay", delay=1.0)
    failed: list[Exception] = []

    def send() -> None:
        try:
            create(crm)
        except requests.ConnectionError as error:
            failed.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    eventually(lambda: crm.control.state()["requests"]["total"] == 1)
    crm.control.reset()
    sender.join()
    assert len(failed) == 1
    assert leads(crm) == []


def test_a_delay_comes_before_handling_and_outlives_the_sender(crm: Crm) -> None:
    crm.control.fault("delay", delay=1.0)
    with pytest.raises(requests.Timeout):
        create(crm, timeout=0.1)
    assert leads(crm) == []
    eventually(lambda: leads(crm) == ["x"])


def test_a_delayed_answer_was_carried_out_at_once(crm: Crm) -> None:
    crm.control.fault("delay_answer", delay=30)
    with pytest.raises(requests.Timeout):
        create(crm, timeout=0.2)
    eventually(lambda: leads(crm) == ["x"])


def test_a_delayed_answer_arrives_in_the_end(crm: Crm) -> None:
    crm.control.fault("delay_answer", delay=0.1)
    began = time.monotonic()
    assert create(crm).status_code == 200
    assert time.monotonic() - began >= 0.1


def test_a_trickled_answer_outlasts_a_timeout_per_read(crm: Crm) -> None:
    crm.control.fault("trickle", delay=0.005)
    began = time.monotonic()
    answer = create(crm, timeout=1)
    assert answer.json()[0]["merged"] is False
    assert time.monotonic() - began > 1


def test_an_answer_can_be_prescribed_instead_of_carrying_out(crm: Crm) -> None:
    crm.control.fault("answer", status=504, body="<html>504</html>", headers={"Retry-After": "3"})
    answer = create(crm)
    assert (answer.status_code, answer.text) == (504, "<html>504</html>")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Retry-After"] == "3"
    assert answer.headers["X-Request-Id"]
    assert leads(crm) == []


def test_a_prescribed_answer_can_be_json_of_any_type(crm: Crm) -> None:
    crm.control.fault(
        "answer", status=402, body={"status": 402}, content_type="application/problem+json"
    )
    answer = create(crm)
    assert (answer.status_code, answer.json()) == (402, {"status": 402})
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_a_request_can_be_carried_out_and_answered_with_a_lie(crm: Crm) -> None:
    crm.control.fault("commit_then_answer", status=502, body="bad gateway")
    assert create(crm).status_code == 502
    assert leads(crm) == ["x"]


def test_a_rule_hits_only_its_method_path_query_and_body(crm: Crm) -> None:
    rules = [
        crm.control.fault("answer", method="POST", path="/api/v4/leads", times=-1),
        crm.control.fault("answer", query_has="page=2", times=-1),
        crm.control.fault("answer", body_has="poison", times=-1),
        crm.control.fault("answer", path=r"/api/v4/leads/\d+", times=-1),
    ]
    assert crm.get("leads").status_code == 204
    assert create(crm).status_code == 200
    assert [crm.control.hits(rule) for rule in rules] == [0, 0, 0, 0]
    assert crm.post("leads", [{}]).status_code == 500
    assert crm.get("leads", page=2).status_code == 500
    assert create(crm, "poison").status_code == 500
    assert crm.get("leads/1").status_code == 500
    assert [crm.control.hits(rule) for rule in rules] == [1, 1, 1, 1]


def test_a_rule_skips_then_hits_as_often_as_told(crm: Crm) -> None:
    rule = crm.control.fault("answer", skip=2, times=2)
    assert [create(crm).status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]
    (shown,) = crm.control.faults()
    assert (shown["id"], shown["hits"], shown["seen"]) == (rule, 2, 4)


def test_the_first_rule_that_fires_wins(crm: Crm) -> None:
    crm.control.fault("answer", status=501)
    crm.control.fault("answer", status=502, times=-1)
    assert [create(crm).status_code for _ in range(3)] == [501, 502, 502]


def test_chance_is_repeatable_by_its_seed(crm: Crm) -> None:
    def run(seed: int) -> list[int]:
        crm.control.reset()
        crm.control.config(seed=seed)
        crm.control.fault("answer", probability=0.5, times=-1)
        return [crm.get("account").status_code for _ in range(30)]

    first = run(7)
    assert set(first) == {200, 500}
    assert run(7) == first
    assert run(8) != first


def test_rules_are_removed_one_by_one_or_all_at_once(crm: Crm) -> None:
    first, second, third = (crm.control.fault("answer", times=-1, path="/x") for _ in range(3))
    assert crm.control.clear_faults(second) == 1
    assert [one["id"] for one in crm.control.faults()] == [first, third]
    assert crm.control.clear_faults(second) == 0
    assert crm.control.clear_faults() == 2
    assert crm.control.faults() == []


def test_a_fault_is_written_into_the_list_of_requests(crm: Crm) -> None:
    crm.control.fault("lose_answer")
    with pytest.raises(requests.ConnectionError):
        create(crm)
    create(crm)
    lost, answered = crm.control.requests()
    assert (lost["fault"], lost["status"]) == ("lose_answer", None)
    assert (answered["fault"], answered["status"]) == (None, 200)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"action": "explode"}, "action is one of"),
        ({"action": "answer", "path": "("}, "no regular expression"),
        ({"action": "answer", "times": "1"}, "times"),
        ({"action": "answer", "hits": 3}, "hits"),
    ],
)
def test_a_wrong_rule_is_refused_with_a_sentence(
    crm: Crm, rule: dict[str, object], said: str
) -> None:
    with pytest.raises(ControlError, match=said):
        crm.control.fault(**rule)  # type: ignore[arg-type]
    assert crm.control.faults() == []


def test_a_slow_answer_does_not_hold_up_other_connections(crm: Crm) -> None:
    crm.control.fault("delay_answer", path=COMPLEX, delay=1.5)
    slow = threading.Thread(target=create, args=(crm,))
    slow.start()
    eventually(lambda: leads(crm) == ["x"])
    assert requests.get(
        f"{crm.url}/api/v4/account", headers={"Authorization": "Bearer x"}, timeout=10
    ).ok
    assert slow.is_alive()
    slow.join()
