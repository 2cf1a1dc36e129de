"""syncache/cli/top_data.py: processes asked and added up."""

from __future__ import annotations

import threading
from contextlib import closing, contextmanager

from syncache import Inspection, Intercept, Ring, Syncache
from syncache.acl import AccessList, permit
from syncache.cli.top_data import Seen, Sockets, added, prefix_of
from syncache.control import Client, Control, FlowControl
from syncache.control_socket import ControlSocket
from syncache.flow import Side
from syncache.lookout import RATES, Lookout
from syncache.segment import SYN, Segment


def syn(number, dport=80):
    return Segment(
        src=f"10.{number >> 8}.{number & 255}.1",
        dst="192.0.2.1",
        sport=1024,
        dport=dport,
        flags=SYN,
    )


def server(count=300):
    """A flooded SYN cache and its lookout."""
    engine = Syncache(seed=bytes(16))
    engine.listen(80, "192.0.2.1")
    lookout = Lookout(engine, lambda: {"link_kernel_dropped": 3, "link_received": 7})
    lookout.look(0.0)
    ring = Ring(512)
    for number in range(count):
        ring.push(syn(number).packet())
    lookout.attempts.look(ring)
    engine.burst(ring, Ring(512), 0.0)
    return Control(engine, lookout, lambda: 1.0)


@contextmanager
def serving(controls):
    """Answer on sockets, in a thread."""
    served = [ControlSocket(path, control) for path, control in controls.items()]
    end = threading.Event()

    def work():
        while not end.wait(0.001):
            for one in served:
                one.turn()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()
        for one in served:
            one.close()


def test_processes_of_every_kind_are_asked_and_added_up(tmp_path):
    """Rates, tables, who is asked; one that does not answer is named."""
    box = Intercept(acl=AccessList("all", [permit()]), seed=b"seed")
    for number in range(40):
        box.receive(syn(number, 443).packet(), Side.CLIENT, 0.5)
    paths = [str(tmp_path / name) for name in ("web", "box", "eye", "gone")]
    controls = [server(), FlowControl(box, lambda: 1.0), FlowControl(Inspection())]
    with (
        closing(Sockets(paths)) as sockets,
        serving(dict(zip(paths, controls, strict=False))),
    ):
        seen = sockets.poll()
        assert [True, True, True, False] == [one.top is not None for one in seen]
        for _ in range(6):
            total = added(sockets.poll())
    assert ["syncache", "intercept", "inspection"] == total.engines
    assert "no answer" == total.state
    assert [f"{paths[3]}: No such file or directory"] == total.silent
    assert total.rates["syns"] >= 300
    assert len(total.history) >= 6
    assert (340, 15360 + 1100) == (
        total.tables["half-open"][0],
        total.tables["half-open"][1]
        - Inspection().sysctl["net.inet.inspect.max_incomplete.high"],
    )
    assert 3 == total.links["link_kernel_dropped"]
    attempts, half_open = total.asked["192.0.2.1", 80]
    assert attempts == 300
    assert 280 <= half_open <= 320  # of rows, 256 at most a sample
    assert (0, 40) == total.asked["192.0.2.1", 443]
    assert sum(held for _, held in total.asking.values()) > 0


def once(path):
    with closing(Sockets([path])) as sockets:
        return sockets.poll()


def test_process_without_half_open_connections_is_asked_once_a_poll(
    tmp_path, monkeypatch
):
    """A sample of nothing would wake it twice more."""
    asked, ask = [], Client.request
    monkeypatch.setattr(
        Client, "request", lambda self, op, **a: asked.append(op) or ask(self, op, **a)
    )
    path = str(tmp_path / "web")
    with serving({path: Control(Syncache(seed=bytes(16)))}):
        once(path)
    with serving({path: server()}):
        once(path)
    assert ["top", "top", "sample"] == asked[:3]


def test_silent_process_is_asked_again_from_the_beginning(tmp_path):
    """With its history, which may be another process's by then."""
    path = str(tmp_path / "web")
    with closing(Sockets([path])) as sockets:
        with serving({path: server()}):
            (first,) = sockets.poll()
            assert 1 == len(first.history)
        (gone,) = sockets.poll()
        assert gone.top is None
        with serving({path: server()}):
            (back,) = sockets.poll()
    assert (True, 1, "") == (back.top is not None, len(back.history), back.error[:0])


def test_process_in_which_nothing_happens_says_so_and_is_drawn_seldom(
    tmp_path, monkeypatch
):
    """A short answer, and the same picture, until the time in it is too old."""
    answers, ask = [], Client.request
    monkeypatch.setattr(
        Client,
        "request",
        lambda self, op, **a: answers.append(ask(self, op, **a)) or answers[-1],
    )
    path, now = str(tmp_path / "web"), [0.0]
    engine = Syncache(seed=bytes(16))
    lookout = Lookout(engine)
    lookout.look(now[0])
    control = Control(engine, lookout, lambda: now[0])
    with closing(Sockets([path])) as sockets, serving({path: control}):
        pictures = []
        for now[0] in range(5):
            pictures += sockets.poll()
        assert {"mark", "pid"} == answers[-1].keys()
        assert pictures[-2] is pictures[-1]
        monkeypatch.setattr("syncache.cli.top_data.STILL_SECONDS", 0.0)
        (later,) = sockets.poll()
        assert later.top["since"] > 0
        assert len(answers) == len(later.history) + 1
        engine.packet(b"", now[0])
        now[0] += 1
        (changed,) = sockets.poll()
        assert changed.top["mark"] != later.top["mark"]


def test_histories_of_different_length_end_together():
    """The newest rates are added to the newest."""
    idle = {
        "engine": "syncache",
        "state": "calm",
        "since": 0,
        "floods": [],
        "rates": {},
        "tables": {},
        "links": {},
        "attempts": {
            "seconds": 0,
            "total": 0,
            "prefixes": 0,
            "asked": [],
            "asking": [],
        },
        "alarms": [],
    }
    many = []
    for values in ([1, 2, 3], [10], [100, 200]):
        one = Seen("x", idle)
        one.history.extend([value] * len(RATES) for value in values)
        many.append(one)
    for order in (many, many[::-1]):
        assert [1, 102, 213] == [row[0] for row in added(order).history]


def test_prefixes_are_those_of_the_sketch():
    """A /24 and a /48."""
    assert "192.0.2.0/24" == prefix_of("192.0.2.77")
    assert "2001:db8:7::/48" == prefix_of("2001:db8:7:8::1")
