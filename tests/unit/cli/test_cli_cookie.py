"""syncache/cli/cookie.py: what is minted is checked and explained."""

from __future__ import annotations

import pytest

from syncache import Cookie, FourTuple, SynOptions
from syncache.cli import main

EVEN, ODD = bytes(range(16)), bytes(range(16, 32))
PATH = FourTuple("198.51.100.7", 40000, "192.0.2.1", 80)
ENDS = ["--foreign", "198.51.100.7:40000", "--local", "192.0.2.1:80"]


@pytest.fixture
def cookie(capsys, tmp_path):
    """Run the command with two keys; return exit status, output and errors."""
    keys = tmp_path / "keys"
    keys.write_text(f"{EVEN.hex()}\n{ODD.hex()}\n")

    def run(action, *words, keys=keys, ends=ENDS):
        status = main(["cookie", action, "--keys", str(keys), *ends, *words])
        out, err = capsys.readouterr()
        return status, out, err

    return run


@pytest.mark.parametrize("layout", ["wide", "freebsd", "mss"])
@pytest.mark.parametrize("parity", [0, 1])
def test_mint_prints_the_iss(cookie, layout, parity):
    """The command mints what the library mints."""
    iss = Cookie.mint(
        (EVEN, ODD)[parity],
        PATH,
        1000,
        SynOptions(1460, 7, sack_permitted=True),
        parity=parity,
        layout=layout,
    )
    words = ["--irs", "1000", "--mss", "1460", "--wscale", "7", "--sack"]
    words += ["--layout", layout, "--parity", str(parity)]
    assert (0, f"{iss} {iss:#010x}\n", "") == cookie("mint", *words)


def test_check_prints_what_was_kept(cookie):
    """A good cookie tells its options."""
    _, out, _ = cookie("mint", "--irs", "0xffffffff", "--mss", "1400", "--parity", "1")
    ack = (int(out.split()[0]) + 1) & 0xFFFFFFFF
    status, out, _ = cookie("check", "--seq", "0", "--ack", str(ack))
    assert 0 == status
    lines = dict(line.split(": ") for line in out.splitlines())
    assert ("1400", "none", "no", "1") == (
        lines["mss"],
        lines["wscale"],
        lines["sack_permitted"],
        lines["parity"],
    )


def test_check_of_another_number_is_not_ours(cookie):
    """What no key makes is status 1."""
    status, out, err = cookie("check", "--seq", "1001", "--ack", "5")
    assert (1, "") == (status, err)
    assert out.startswith("not ours")


def test_explain_finds_layout_and_scale(cookie):
    """A captured cookie is recognised whatever made it."""
    minted = ["--irs", "1000", "--mss", "1460", "--wscale", "7", "--sack"]
    made = cookie("mint", *minted, "--layout", "wide", "--rcv-wscale", "6")[1]
    words = ["--seq", "1001", "--ack", str(int(made.split()[0]) + 1)]
    assert 1 == cookie("check", *words)[0]
    status, out, _ = cookie("explain", *words)
    assert 0 == status
    assert "layout: wide\n" in out
    assert "rcv_wscale: 6\n" in out


def test_ipv6_endpoints_are_in_brackets(cookie):
    """Both families are spelled as URLs spell them."""
    ends = ["--foreign", "[2001:db8::7]:40000", "--local", "[2001:db8::1]:80"]
    assert 0 == cookie("mint", "--irs", "1", ends=ends)[0]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["check", "--seq", "1"], "--ack"),
        (["mint"], "--irs"),
        (["mint", "--irs", "4294967296"], "irs"),
        (["mint", "--irs", "1", "--wscale", "15"], "wscale"),
    ],
)
def test_mistake_is_one_line(cookie, words, hint):
    """A missing or illegal number is said in one line."""
    status, out, err = cookie(*words)
    assert (1, "") == (status, out)
    assert hint in err
    assert 1 == err.count("\n")


@pytest.mark.parametrize("end", ["198.51.100.7", "example.org:80", "1.2.3.4:0", "x:y"])
def test_bad_endpoint_is_one_line(cookie, end):
    """An endpoint is an address and a port."""
    status, _, err = cookie("mint", ends=["--foreign", end, "--local", "192.0.2.1:80"])
    assert 1 == status
    assert 1 == err.count("\n")
    assert repr(end) in err


@pytest.mark.parametrize("text", ["", "00", "zz" * 16, f"{EVEN.hex()} " * 3])
def test_bad_key_file_is_one_line(cookie, tmp_path, text):
    """A key file holds one or two keys; none of it is printed."""
    file = tmp_path / "bad"
    file.write_text(text)
    status, _, err = cookie("mint", "--irs", "1", keys=file)
    assert (1, 1) == (status, err.count("\n"))
    assert EVEN.hex() not in err


def test_keys_come_from_standard_input(cookie, monkeypatch):
    """`-` reads the keys from a pipe; one key serves both parities."""
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(EVEN.hex()))
    assert 0 == cookie("mint", "--irs", "1", "--parity", "1", keys="-")[0]


def test_keyring_mints_and_checks_by_time(capsys, tmp_path):
    """The key is that of the epoch, and the one before is redeemed too."""
    from syncache.keyring import DerivedKeyring, Master

    path = tmp_path / "ring"
    ring = DerivedKeyring((Master.generate(),), wall_offset=0, group="web")
    ring.save(path)
    words = ["--keyring", str(path), *ENDS, "--at"]
    assert 0 == main(["cookie", "mint", *words, "3200", "--irs", "7"])
    iss = int(capsys.readouterr().out.split()[0])
    options = SynOptions()
    assert iss == Cookie.mint(ring.key(100, 32_000), PATH, 7, options)
    ack = ["--seq", "8", "--ack", str(iss + 1)]
    results = [main(["cookie", "check", *words, at, *ack]) for at in ("3250", "3264")]
    assert [0, 1] == results
    capsys.readouterr()
    assert 1 == main(["cookie", "mint", *ENDS, "--irs", "7"])
    assert "--keys FILE or --keyring FILE" in capsys.readouterr().err
