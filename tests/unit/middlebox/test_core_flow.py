"""Tests of the middlebox door to C: names, sizes, defaults, ranges, and the token."""

from __future__ import annotations

import pytest

from syncache import Keyring, Ring, Sysctl, _core
from syncache._core import flow as _core_flow
from syncache._core.flow import INTERCEPT, FlowCore
from syncache.flow import Side, Verdict
from syncache.tunables import KNOBS

ffi, lib = _core.ffi, _core.lib
FIELDS = [k for k in KNOBS.values() if k.field and k.engine == "intercept"]
# Told by others: the half-open side's cookies, and the kind of engine.
ELSEWHERE = {
    "struct_size",
    "kind",
    "cookie_lifetime_ms",
    "clock_skew_ms",
    "cookie_gate",
}
SEED = bytes(16)


def members(struct):
    return {name for name, _ in ffi.typeof(f"struct {struct}").fields}


def core(**config):
    fields = Sysctl().fields(boot=True, engine="intercept") | config
    return FlowCore(INTERCEPT, fields, SEED, Keyring.from_seed(SEED))


def test_every_member_of_c_has_one_tunable():
    """Nothing that C can be told is out of reach, and nothing is said twice."""
    boot = sorted(k.field for k in FIELDS if k.settable == "boot")
    live = sorted(k.field for k in FIELDS if k.settable == "always")
    assert sorted(members("flow_config") - ELSEWHERE) == boot
    assert sorted(members("flow_intercept_tunables") - ELSEWHERE) == live


def test_defaults_of_registry_and_c_are_the_same():
    """A C program that sets nothing behaves as a Python one that sets nothing."""
    tunables = ffi.new("struct flow_intercept_tunables *")
    lib.flow_intercept_default(tunables)
    for name, value in Sysctl().fields(boot=False, engine="intercept").items():
        assert getattr(tunables, name) == value, name


@pytest.mark.parametrize("knob", FIELDS, ids=lambda knob: knob.name)
def test_edges_of_the_registry_are_legal_in_c(knob):
    """C takes what the registry takes: no legal write fails behind the check."""
    low_of_a_pair = knob.name.endswith(".low")
    for edge in (knob.legal[0], knob.legal[-1]):
        if knob.settable == "boot":
            if edge >= 2**24:  # gigabytes, which nobody asked for
                continue
            core(**{knob.field: knob.to_c(edge)}).close()
            continue
        values = {knob.name: edge}
        if low_of_a_pair:
            values[knob.name.replace(".low", ".high")] = KNOBS[
                knob.name.replace(".low", ".high")
            ].legal[1]
        if knob.name.endswith(".high"):
            values[knob.name.replace(".high", ".low")] = 1
        if knob.field == "wait_for_data":
            values["net.inet.tcp.intercept.synack_window"] = 1
        fields = Sysctl(values).fields(boot=False, engine="intercept")
        extra = {
            "cookie_lifetime_ms": 32_000,
            "clock_skew_ms": 1000,
            "cookie_gate": 2,
        }
        assert core().set_tunables(fields | extra), edge


@pytest.mark.parametrize(
    ("enum", "knob"),
    [
        ("flow_mode", "mode"),
        ("flow_drop", "drop_mode"),
        ("flow_rate", "rate_method"),
        ("flow_evict_rst", "evict_rst"),
        ("flow_watch_reset", "watch_reset"),
        ("flow_giveup_reset", "reset_client_on_giveup"),
        ("flow_options", "options"),
        ("flow_synack", "synack"),
        ("flow_unknown", "unknown"),
    ],
)
def test_words_are_in_the_order_of_the_enumeration(enum, knob):
    """A word's place is its number in C."""
    numbers = ffi.typeof(f"enum {enum}").relements
    words = KNOBS[f"net.inet.tcp.intercept.{knob}"].legal
    assert len(numbers) == len(words)
    for name, number in numbers.items():
        assert name.endswith("_" + words[number].upper())


def test_sides_and_verdicts_are_those_of_c():
    """A number of C means the same here."""
    sides = ffi.typeof("enum flow_side").relements
    assert sides == {f"FLOW_{side.name}": side.value for side in Side}
    verdicts = dict(ffi.typeof("enum flow_verdict").relements)
    assert len(Verdict) == verdicts.pop("FLOW_VERDICT_COUNT")
    assert verdicts == {f"FLOW_{kind.name}": kind.value for kind in Verdict}


@pytest.mark.parametrize(
    "config", [{"sessions_max": 0}, {"hosts_max": 0}, {"profiles_max": 65536}]
)
def test_impossible_configuration_raises(config):
    """C refuses it before memory is asked for."""
    with pytest.raises(ValueError, match="no engine can have this configuration"):
        core(**config)


def test_one_call_at_a_time():
    """Whoever has the token works; the other learns that it is in use."""
    engine = core()
    with engine, pytest.raises(RuntimeError, match="in use by another call"), engine:
        pass


def test_closed_engine_says_so():
    """Its memory is gone."""
    engine = core()
    assert engine.memory_bytes > 2**20
    with engine:
        engine.close()
    with pytest.raises(RuntimeError, match="closed"), engine:
        pass


def test_verdict_of_no_packet_raises():
    """A ring knows what it holds."""
    ring = Ring(4)
    ring.push(b"\x45")
    assert 0 == _core_flow.verdict(ring, 0)
    for index in (1, -1):
        with pytest.raises(IndexError, match="no packet"):
            _core_flow.verdict(ring, index)


def test_short_key_never_reaches_c():
    """As for the other kind of engine."""
    engine = core()
    keys = Keyring.ephemeral()
    keys.key = lambda epoch, lifetime_ms: b"short"
    engine.set_keys(keys)
    engine.set_tunables(
        Sysctl().fields(boot=False, engine="intercept")
        | {"cookie_lifetime_ms": 16_000, "clock_skew_ms": 0, "cookie_gate": 0}
    )
    with pytest.raises(ValueError, match="too small"):
        engine.poll(None, None, 0.0)


def test_rules_beyond_the_limit_are_refused():
    """And an empty list is one that denies."""
    engine = core(rules_max=1)
    assert engine.set_rules(b"")
    assert engine.set_rules(None)
    assert not engine.set_rules(bytes(2 * ffi.sizeof("struct flow_rule")))
