"""Tests of `Store` with a real server, which is also killed, stopped and lied to."""

from __future__ import annotations

import signal
import threading
import time

import pytest

from syncache.fleet import FleetError, store
from syncache.fleet.conf import Conf
from syncache.fleet.record import BYTES_MAX
from syncache.fleet.seal import MESSAGE_BYTES_MAX, Sealer
from syncache.fleet.store import Store, StoreError

GROUP = Sealer("web", b"a secret of the group")


@pytest.fixture
def words(server, member_conf):
    made = Store(member_conf("edge-1", server.url))
    yield made
    made.close()


def document(version):
    return GROUP.seal("keys", b"document %d" % version, version)


def test_publish_only_rises(words):
    """Two who publish at a time: one of them wins, whoever comes later."""
    assert words.document() is None
    messages = {version: document(version) for version in (1, 2, 3, 10)}
    for version, done in ((2, True), (1, False), (2, False), (10, True), (3, False)):
        assert done == words.publish(messages[version], version)
    assert messages[10] == words.document()


def test_publish_replaces_what_is_no_document(words, server):
    """A server that others use too."""
    server.client().set("syncache:web:keys", "something else")
    assert words.publish(document(1), 1)


def test_one_round_trip_publishes_and_brings_all(words):
    """Our record goes, header, records and clock come."""
    message = document(3)
    words.publish(message, 3)
    news = words.look(mine=("edge-1", b"sealed"), sample=5, clock=True)
    assert {"edge-1": b"sealed"} == news.records
    assert message.startswith(news.header[:24])
    assert news.clock > 1.5e9
    nothing = words.look(mine=None, sample=0, clock=False)
    assert ({}, None) == (nothing.records, nothing.clock)


def test_sample_is_bounded_and_all_are_listed(words):
    """A few at random for members, all of them for people."""
    for number in range(30):
        words.look(mine=(f"m{number}", b"x"), sample=0, clock=False)
    assert 4 == len(words.look(mine=None, sample=4, clock=False).records)
    assert 30 == len(words.records())
    words.forget("m0", "m1")
    words.forget()
    assert 28 == len(words.records())


def test_record_that_is_too_large_is_left_out(words, server):
    """A sick or foreign member costs nobody anything."""
    server.client().hset("syncache:web:members", "big", b"x" * (BYTES_MAX + 257))
    assert {} == words.records()
    server.client().set("syncache:web:keys", b"x" * (MESSAGE_BYTES_MAX + 100))
    assert MESSAGE_BYTES_MAX + 1 == len(words.document())


def test_server_that_is_restarted_is_not_taken_for_another_service(words, monkeypatch):
    """It has answered before; one that never has may be a port of TLS."""
    import valkey

    def close(*_):
        raise valkey.ConnectionError("Connection closed by server.")

    with monkeypatch.context() as patched:
        patched.setattr(words._valkey, "getrange", close)
        with pytest.raises(StoreError, match="TLS"):
            words.document()
    assert words.document() is None
    monkeypatch.setattr(words._valkey, "getrange", close)
    with pytest.raises(StoreError, match=r"closed by server$"):
        words.document()


def test_news_wakes_who_waits(words, server, member_conf):
    """At once, and a wait ends anyway."""
    other = Store(member_conf("edge-2", server.url))
    woken = threading.Event()

    def wait():
        for _ in range(30):
            other.wait(1.0)
            if other.document():
                woken.set()
                return

    thread = threading.Thread(target=wait)
    thread.start()
    words.publish(document(1), 1)
    assert woken.wait(30)
    thread.join()
    other.close()


@pytest.mark.parametrize("kind", ["string", "list"])
def test_keys_of_a_wrong_type_are_an_error_of_one_line(words, server, kind):
    """Somebody else's, or a liar's."""
    client = server.client()
    for name in ("keys", "members", "news"):
        key = f"syncache:web:{name}"
        if kind == "list":
            client.rpush(key, "x")
        elif name != "keys":
            client.set(key, "x")

    def look():
        found = words.look(mine=("a", b"x"), sample=1, clock=True)
        raise StoreError(found.refusal)  # without it, it would be empty

    calls = [
        look,
        words.records,
        lambda: words.forget("a"),
    ]
    for call in calls:
        with pytest.raises(StoreError) as caught:
            call()
        assert "\n" not in str(caught.value)
        assert "WRONGTYPE" in str(caught.value)


def test_news_of_a_wrong_type_are_one_complaint_and_no_wake_up(words, server):
    """Somebody else's, in the place of the stream: a document is found all the same."""
    client = server.client()
    words.publish(document(1), 1)
    client.set("syncache:web:news", "x")
    for _ in range(3):
        words.wait(0.01)
        news = words.look(mine=("a", b"x"), sample=1, clock=True)
        assert "WRONGTYPE" in news.refusal
        assert news.header
    client.delete("syncache:web:news")
    words.wait(0.01)
    assert "" == words.look(mine=None, sample=0, clock=False).refusal


def test_server_that_is_gone_is_an_error_and_comes_back(words, server):
    """The same object goes on."""
    words.publish(document(1), 1)
    server.close()
    with pytest.raises(StoreError, match="Valkey at unix:"):
        words.document()
    server.start()
    assert words.document() is None


def test_server_that_does_not_answer_is_an_error_in_time(words, server, monkeypatch):
    """A stopped process accepts connections and says nothing."""
    words.document()
    server.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    with pytest.raises(StoreError):
        words.look(mine=None, sample=0, clock=False)
    assert time.monotonic() - began < 60
    server.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("answer", [5, "text", None, [1], [b"a"], {}])
def test_answer_of_a_liar_is_an_error(words, monkeypatch, answer):
    """Whatever it is."""
    monkeypatch.setattr(words._valkey, "getrange", lambda *_: answer)
    with pytest.raises(StoreError):
        words.document()
    with pytest.raises((TypeError, ValueError)):
        store._records(answer if answer != {} else [b"a", 5])


def test_pairs_are_read_as_names_and_values():
    """As version 3 of the protocol has them."""
    assert {"a": b"x"} == store._records([[b"a", b"x"]])
    assert {"a": b"x"} == store._records([b"a", b"x"])


def test_missing_client_names_its_extra(monkeypatch, member_conf):
    """With the command that installs it."""
    import sys

    monkeypatch.setitem(sys.modules, "valkey", None)
    with pytest.raises(FleetError, match=r"tcp-syncache\[fleet\]"):
        Store(member_conf("edge-1"))


def test_schemes_of_redis_and_valkey_are_the_same(tmp_path):
    """Ours are Valkey's."""
    for scheme in ("valkey", "redis", "valkeys", "rediss"):
        url = f"{scheme}://127.0.0.1:1/0"
        conf = Conf("web", url, tmp_path, tmp_path, "edge-1")
        with pytest.raises(StoreError):
            Store(conf).document()
    with pytest.raises(FleetError):
        Store(Conf("web", "valkey://[", tmp_path, tmp_path, "edge-1"))


def test_filters_are_exchanged_each_once(words, server):
    """In order, some at a time; what is too large is left out."""
    found, place = words.exchange(("edge-1", b"first"), "-")
    assert [("edge-1", b"first")] == found
    assert ([], place) == words.exchange(None, place)
    server.client().xadd("syncache:web:seen", {"n": "x", "m": bytes(5000)})
    found, place = words.exchange(("edge-2", b"second"), place)
    assert [("edge-2", b"second")] == found
    for number in range(40):
        words.exchange((f"m{number}", b"x"), place)
    assert 16 == len(words.exchange(None, place)[0])


@pytest.mark.parametrize("fields", [{"n": "x"}, {"m": "x"}, {"odd": "x"}])
def test_filter_that_is_none_is_an_error_of_one_line(words, server, fields):
    """Valkey may lie; the members ask again."""
    server.client().xadd("syncache:web:seen", fields)
    with pytest.raises(StoreError):
        words.exchange(None, "-")
