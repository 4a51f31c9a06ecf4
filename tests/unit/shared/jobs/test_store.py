"""What every store of jobs keeps to: order, leases, tokens, attempts, pauses, and that nothing is done twice."""

import threading
import time

import pytest

from shared.errors import InvalidRequest, NotFound
from shared.jobs import rules
from shared.jobs.job import Job, JobStore, Note
from tests.unit.shared.jobs.conftest import LEASE_S, Open, job

ERROR = {"code": "training_failed", "message": "boom", "param": None}
CREATED = Note("created")


def add(store: JobStore, *ids: str, **fields) -> list[Job]:
    return [store.add(job(id, **fields), CREATED) for id in ids]


def claim(store: JobStore, worker: str = "w1", queue: str = "text") -> Job:
    found = store.claim(queue, worker)
    assert found is not None
    return found


def test_a_job_comes_back_as_it_went_in(store: JobStore, open_store: Open):
    (added,) = add(store, "a", spec={"args": {"n": [1, None, "é"]}}, owner="key_1", fingerprint="f")
    assert open_store().get("a") == added
    assert (added.state, added.place) == ("queued", 1)
    assert [note.message for note in store.notes("a")] == ["created"]
    with pytest.raises(NotFound):
        store.get("b")


def test_the_first_comes_first_and_positions_tell(store: JobStore):
    add(store, "a", "b", "c")
    assert [store.position(store.get(id)) for id in "abc"] == [1, 2, 3]
    assert [claim(store).id for _ in range(2)] == ["a", "b"]
    assert [store.position(store.get(id)) for id in "abc"] == [None, None, 1]
    assert claim(store).id == "c" and store.claim("text", "w1") is None


def test_queues_are_apart(store: JobStore):
    add(store, "a", queue="text")
    add(store, "b", queue="image")
    assert claim(store, queue="image").id == "b"
    assert store.claim("image", "w1") is None
    assert store.position(store.get("a")) == 1


def test_a_claimed_job_is_running_with_a_token(store: JobStore):
    add(store, "a")
    taken = claim(store, "w7")
    assert (taken.state, taken.worker, taken.attempts) == ("running", "w7", 1)
    assert taken.token and taken.started and store.get("a") == taken


def test_a_beat_keeps_the_lease(store: JobStore):
    add(store, "a")
    taken = claim(store)
    for _ in range(4):
        time.sleep(LEASE_S / 2)
        store.apply("a", rules.beat(taken.token, LEASE_S))
        assert store.claim("text", "w2") is None


def test_a_silent_workers_job_is_taken_over_and_its_token_is_worth_nothing(store: JobStore):
    add(store, "a", "b")
    first = claim(store, "w1")
    time.sleep(LEASE_S * 1.5)
    second = claim(store, "w2")
    assert (second.id, second.worker, second.attempts, second.failures) == ("a", "w2", 2, 1)
    assert second.token != first.token
    for rule in (
        rules.beat(first.token, LEASE_S),
        rules.succeed(first.token, {}, "done"),
        rules.fail(first.token, ERROR, again=True),
        rules.stop(first.token),
        rules.release(first.token),
    ):
        with pytest.raises(rules.LeaseLost):
            store.apply("a", rule)
    assert store.get("a") == second


def test_success_ends_it(store: JobStore):
    add(store, "a")
    taken = claim(store)
    done = store.apply("a", rules.succeed(taken.token, {"model": "m"}, "made m"))
    assert (done.state, done.result, done.final) == ("succeeded", {"model": "m"}, True) and done.finished
    time.sleep(LEASE_S * 1.5)
    assert store.claim("text", "w2") is None
    assert store.notes("a")[-1].message == "made m"


def test_a_failed_attempt_is_tried_again_before_others_and_at_last_given_up(store: JobStore):
    add(store, "a", "b")
    for attempt in range(1, rules.MAX_FAILURES + 1):
        taken = claim(store)
        assert (taken.id, taken.attempts) == ("a", attempt)
        after = store.apply("a", rules.fail(taken.token, ERROR | {"message": f"boom {attempt}"}, again=True))
    assert (after.state, after.error) == ("failed", ERROR | {"message": "boom 3"})
    assert claim(store).id == "b"


def test_bad_input_is_not_tried_again(store: JobStore):
    add(store, "a")
    assert store.apply("a", rules.fail(claim(store).token, ERROR, again=False)).state == "failed"


def test_workers_that_die_over_it_fail_it(store: JobStore):
    add(store, "a")
    for _ in range(rules.MAX_FAILURES):
        claim(store)
        time.sleep(LEASE_S * 1.2)
    assert store.claim("text", "w9") is None
    found = store.get("a")
    assert (found.state, found.error) == ("failed", rules.DIED)


def test_a_checkpoint_forgives_earlier_deaths(store: JobStore):
    add(store, "a")
    for _ in range(rules.MAX_FAILURES + 2):
        taken = claim(store)
        store.apply("a", rules.beat(taken.token, LEASE_S, advanced=True))
        time.sleep(LEASE_S * 1.2)
    assert claim(store).failures == 1


def test_a_waiting_job_pauses_and_is_cancelled_at_once(store: JobStore):
    add(store, "a", "b", "c")
    assert store.apply("a", rules.pause).state == "paused"
    assert store.apply("b", rules.cancel).state == "cancelled"
    assert claim(store).id == "c" and store.claim("text", "w1") is None
    assert store.apply("a", rules.resume).state == "queued"
    assert claim(store).id == "a" and store.claim("text", "w1") is None


def test_a_resumed_job_waits_at_the_end(store: JobStore):
    add(store, "a", "b")
    store.apply("a", rules.pause)
    store.apply("a", rules.resume)
    assert [store.position(store.get(id)) for id in "ab"] == [2, 1]
    assert [claim(store).id, claim(store).id] == ["b", "a"] and store.claim("text", "w1") is None


def test_a_running_job_is_paused_by_its_worker(store: JobStore):
    add(store, "a")
    taken = claim(store)
    asked = store.apply("a", rules.pause)
    assert (asked.state, asked.wanted) == ("running", "pause")
    assert store.apply("a", rules.stop(taken.token)).state == "paused"
    time.sleep(LEASE_S * 1.5)
    assert store.claim("text", "w2") is None
    store.apply("a", rules.resume)
    again = claim(store)
    assert (again.attempts, again.failures, again.wanted) == (2, 0, "run")


def test_a_pause_can_be_taken_back(store: JobStore):
    add(store, "a")
    claim(store)
    store.apply("a", rules.pause)
    assert store.apply("a", rules.resume).wanted == "run"


@pytest.mark.parametrize(("rule", "state"), [(rules.pause, "paused"), (rules.cancel, "cancelled")])
def test_a_dead_workers_job_obeys_too(store: JobStore, rule, state: str):
    add(store, "a", "b")
    claim(store)
    store.apply("a", rule)
    time.sleep(LEASE_S * 1.5)
    assert claim(store).id == "b" and store.get("a").state == state
    claimed = store.get("b")
    time.sleep(LEASE_S * 1.5)
    assert store.apply("b", rule).state == state, "nobody runs it, so nobody need be asked"
    with pytest.raises(rules.LeaseLost):
        store.apply("b", rules.beat(claimed.token, LEASE_S))
    assert store.claim("text", "w1") is None


def test_a_stopped_worker_gives_its_job_back_without_a_failure(store: JobStore):
    add(store, "a", "b")
    store.apply("a", rules.release(claim(store).token))
    again = claim(store)
    assert (again.id, again.attempts, again.failures) == ("a", 2, 0)


def test_what_has_ended_stays_so(store: JobStore):
    add(store, "a")
    store.apply("a", rules.succeed(claim(store).token, {}, "done"))
    for rule in (rules.pause, rules.cancel, rules.resume):
        with pytest.raises(InvalidRequest):
            store.apply("a", rule)
    add(store, "b")
    store.apply("b", rules.cancel)
    assert store.apply("b", rules.cancel).state == "cancelled"
    with pytest.raises(InvalidRequest):
        store.apply("b", rules.resume)


def test_pages_are_an_owners_newest_first(store: JobStore):
    add(store, "a", "b", "c", owner="key_1")
    add(store, "x", owner="key_2")
    add(store, "y", owner="key_1", queue="image")
    assert [each.id for each in store.page("text", "key_1", None, 2)[0]] == ["c", "b"]
    assert store.page("text", "key_1", None, 2)[1] is True
    found, more = store.page("text", "key_1", "b", 2)
    assert ([each.id for each in found], more) == (["a"], False)
    with pytest.raises(NotFound):
        store.page("text", "key_1", "x", 2)


def test_one_key_makes_one_job(store: JobStore):
    add(store, "a", idempotency="k", owner="key_1")
    assert store.add(job("b", idempotency="k", owner="key_1"), CREATED).id == "a"
    assert store.add(job("c", idempotency="k", owner="key_2"), CREATED).id == "c"
    found = store.find_idempotent("key_1", "k")
    assert found is not None and found.id == "a" and store.find_idempotent("key_1", "other") is None
    with pytest.raises(NotFound):
        store.get("b")


def test_recent_ones_are_found_by_what_they_ask(store: JobStore):
    add(store, "a", "b", fingerprint="f")
    found = store.find_recent("local", "f", time.time() - 60)
    assert found is not None and found.id == "b"
    assert store.find_recent("local", "f", time.time() + 1) is None
    assert store.find_recent("key_2", "f", 0) is None and store.find_recent("local", "g", 0) is None


def test_many_workers_never_share_a_job(open_store: Open):
    first = open_store()
    ids = [f"j{i:02}" for i in range(24)]
    add(first, *ids)
    taken: list[str] = []

    def work(name: str) -> None:
        own = open_store()
        while (found := own.claim("text", name)) is not None:
            taken.append(found.id)
            own.apply(found.id, rules.succeed(found.token, {}, "done"))

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ids
