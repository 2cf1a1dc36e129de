"""`syncache fleet`: the machines that share cookie keys through Valkey.

`init` makes a group and its first key, on one machine; `join` brings the keys to each
other one; `status` lists members, and fails if one of them lags or raises an alarm;
`rotate` publishes a new key, waits until every member has it and it is in force, and
deletes the old one; `revoke` does so under another key file, which the member that is
put out does not have.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..fleet import FleetError, conf
from ..fleet.document import KIND, MARGIN_MS, Document
from ..fleet.member import Member, wall_clock
from ..fleet.seal import Sealer
from ..fleet.store import Store
from ..fleet.view import LOST_SECONDS, Snapshot, members
from ..keyring import Master, derive
from ..tunables import KNOBS
from . import Failure, files
from .key import describe
from .keys import since

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..fleet.record import Record

_X = "net.inet.tcp.syncache.x."
LEAD_SECONDS = 60.0
ASK_SECONDS = 0.5
NAME_WIDTH = 18  # of the column, unless a name is longer
SHOWN_MAX = 5  # members that the last line of `status` names for each trouble
REVOKED = ("lower", "revoked")  # alarms that `join` puts right
PUBLISH_TRIES = 5  # others may publish at the same time
FORGET_SECONDS = 86_400.0  # a member without a record is no member any more


def parser() -> argparse.ArgumentParser:
    """Return the parser of the subcommand."""
    p = argparse.ArgumentParser(
        prog="syncache fleet",
        description="Machines that redeem each other's cookies; docs/fleet.md",
    )
    p.add_argument("action", choices=("init", "join", "status", "rotate", "revoke"))
    p.add_argument(
        "conf",
        metavar="CONF",
        nargs="?",
        type=Path,
        help="group, valkey, key, keyring, name; or SYNCACHE_FLEET_... instead",
    )
    p.add_argument(
        "--lifetime",
        metavar="SECONDS",
        type=int,
        default=KNOBS[_X + "cookie_lifetime"].default,
        help="init: x.cookie_lifetime of all members [%(default)s]",
    )
    p.add_argument(
        "--skew-ms",
        metavar="MS",
        type=int,
        default=KNOBS[_X + "clock_skew_ms"].default,
        help="init: by how much clocks of members may differ [%(default)s]",
    )
    p.add_argument(
        "--lead",
        metavar="SECONDS",
        type=float,
        default=LEAD_SECONDS,
        help="rotate, revoke: when the new key comes into force [%(default)s]",
    )
    p.add_argument(
        "--all",
        action="store_true",
        help="rotate: put the change off while a member has not got the key",
    )
    p.add_argument(
        "--no-wait", action="store_true", help="rotate: publish the key, and end"
    )
    p.add_argument("--json", action="store_true", help="status: as JSON")
    p.add_argument("--member", metavar="NAME", help="revoke: who is put out")
    p.add_argument(
        "--new-key",
        metavar="FILE",
        type=Path,
        help="revoke: the key file of those who stay",
    )
    return p


def run(options: argparse.Namespace) -> int:
    """Do one of the five."""
    actions: dict[str, Callable[[argparse.Namespace, conf.Conf, Store], int]] = {
        "init": init,
        "join": join,
        "status": status,
        "rotate": rotate,
        "revoke": revoke,
    }
    try:
        chosen = conf.read(options.conf)
        store = Store(chosen)
        try:
            return actions[options.action](options, chosen, store)
        finally:
            store.close()
    except FleetError as error:
        raise Failure(str(error)) from None


def init(options: argparse.Namespace, chosen: conf.Conf, store: Store) -> int:
    """Make a group: its key file if there is none, its first key, its document."""
    if not 1 <= options.lifetime <= 3600:
        raise Failure("--lifetime is 1 to 3600 seconds")
    most = max(options.lifetime * 500 - MARGIN_MS, 0)
    if not 0 <= options.skew_ms <= most:
        raise Failure(
            f"--skew-ms is 0 to {most}: half of the lifetime less {MARGIN_MS} ms"
        )
    if store.document() is not None:
        raise Failure(f"the group {chosen.group} is there already: syncache fleet join")
    if chosen.sealed.exists():
        raise Failure(
            f"{chosen.sealed} belongs to a previous group, whose members put it back; "
            "to begin anew, remove it and the keyring on every machine"
        )
    make_folder(chosen.keyring.parent)
    if not chosen.key.exists():
        make_key(chosen.key)
        print(f"{chosen.key} is new: copy it to every member, over a safe way")
    master = Master.generate()
    made = Document(
        version=1,
        group=chosen.group,
        lifetime=options.lifetime,
        skew_ms=options.skew_ms,
        ts_key=derive(master.secret, f"syncache timestamp {chosen.group}"),
        masters=(master,),
    )
    message = Sealer(chosen.group, chosen.secret()).seal(KIND, made.encode(), 1)
    if not store.publish(message, 1):
        raise Failure(f"the group {chosen.group} was made by another at the same time")
    return join(options, chosen, store)


def make_folder(path: Path) -> None:
    """Make the folder of the keyring, for its owner alone, if there is none.

    Raises:
        Failure: it cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def make_key(path: Path) -> None:
    """Write a new key file.

    Raises:
        Failure: it cannot be written.
    """
    fresh = path.with_name(path.name + ".new")
    try:
        files.replace(fresh, [secrets.token_urlsafe(32).encode(), b"\n"])
        try:
            os.link(fresh, path)  # whole or not at all, and over no other one
        finally:
            fresh.unlink()
    except OSError as error:
        raise Failure(f"{path}: {error.strerror}") from None


def join(_options: argparse.Namespace, chosen: conf.Conf, store: Store) -> int:
    """Fetch the keys, and write the keyring of this machine."""
    if store.document() is None and not chosen.sealed.exists():
        raise Failure(f"there is no group {chosen.group}: syncache fleet init")
    make_folder(chosen.keyring.parent)
    member = current(chosen, store, REVOKED)
    for _ in range(PUBLISH_TRIES):
        document = member.following()
        if chosen.name not in document.revoked:
            break
        # It has the key file of those who stayed, so it is one of them again.
        if member.publish(document.readmitting(chosen.name)):
            print(f"{chosen.name} was revoked, and is a member again")
        else:
            member = current(chosen, store, REVOKED)
    print(describe(chosen.keyring, member.following().keyring()), end="")
    return 0


def current(
    chosen: conf.Conf, store: Store, harmless: tuple[str, ...] = ("lower", "disk")
) -> Member:
    """Return this machine's member, with the newest document that there is.

    Args:
        chosen: The configuration.
        store: The words with Valkey.
        harmless: Alarms that are no reason to stop.

    Raises:
        Failure: there is none, or something is wrong with it.
    """
    member = Member(chosen, store, silent=True)
    member.turn()
    wrong = [text for name, text in member.alarms.items() if name not in harmless]
    if wrong:
        raise Failure("; ".join(wrong))
    if member.document is None:
        raise Failure(f"there is no group {chosen.group}: syncache fleet init")
    if not chosen.keyring.exists():
        member.restore()
    if "disk" in member.alarms:
        print(f"note: {member.alarms['disk']}", file=sys.stderr)
    return member


# What there is.


def status(options: argparse.Namespace, chosen: conf.Conf, store: Store) -> int:
    """List keys and members; 1 if one of them lags, is lost or raises an alarm."""
    member = current(chosen, store)
    document = member.document
    assert document is not None
    found, strange = members(store, member.sealer)
    seen = Snapshot(document=document, records=found, strange=strange, now=wall_clock())
    if options.json:
        print(json.dumps(as_json(seen)))
    else:
        print(
            f"group {document.group}: version {document.version}, lifetime "
            f"{document.lifetime} s, skew {document.skew_ms} ms, {chosen.address}"
        )
        print(describe(chosen.keyring, document.keyring()), end="")
        width = max([NAME_WIDTH, *(len(record.name) for record in found)])
        print(f"{'member':{width}}  seen  version  key     clock  state       notes")
        for record in found:
            print(line(record, seen.wrong(record), seen.now, width))
            print(traffic(record), end="")
        for name in strange:
            print(f"{name:{width}}  a record that our key does not open")
        print(summary(seen))
    wrong = [seen.wrong(record) for record in found]
    return int(any(words for words in wrong if words != ["revoked"]))


def line(record: Record, words: list[str], now: float, width: int) -> str:
    """Return a member's line of `status`."""
    ago = now - record.time
    return (
        f"{record.name:{width}}{ago:5.0f}s{record.version:9}{record.key:5}"
        f"{-record.offset:+9.3f}s  {record.state:10}  {', '.join(words)}"
    ).rstrip()


def summary(seen: Snapshot) -> str:
    """Return the last line of `status`: who is in trouble, among however many."""
    count = len(seen.records)
    text = f"{count:,} member{'s' * (count != 1)}"
    names: dict[str, list[str]] = {}
    for record in seen.records:
        for word in seen.wrong(record):
            names.setdefault(word, []).append(record.name)
    if seen.strange:
        names["not opened"] = seen.strange
    if not names:
        return f"{text}: no trouble"
    parts = []
    for word, who in sorted(names.items(), key=lambda item: -len(item[1])):
        more = f" and {len(who) - SHOWN_MAX:,} more" * (len(who) > SHOWN_MAX)
        parts.append(f"{word}: {', '.join(who[:SHOWN_MAX])}{more}")
    return f"{text}; {'; '.join(parts)}"


def traffic(record: Record) -> str:
    """Return the lines of a member's rates, sources and targets; "": it is calm."""
    if record.state == "calm":
        return ""
    rates = ", ".join(f"{name} {rate:,.0f}/s" for name, rate in record.rates.items())
    lines = [f"    {rates}"] if rates else []
    for word, shares in (("from", record.sources), ("to", record.targets)):
        if shares:
            told = ", ".join(f"{what} {share:.0%}" for what, share in shares)
            lines.append(f"    {word} {told}")
    return "".join(f"{text}\n" for text in lines)


def as_json(seen: Snapshot) -> dict[str, object]:
    """Return the status as a value; no key is in it."""
    document = seen.document
    return {
        "group": document.group,
        "version": document.version,
        "lifetime": document.lifetime,
        "skew_ms": document.skew_ms,
        "keys": [{"number": m.number, "begins": m.begins} for m in document.masters],
        "members": seen.rows(),
        "strange": seen.strange,
    }


# What changes it.


def rotate(options: argparse.Namespace, chosen: conf.Conf, store: Store) -> int:
    """Publish a key, wait for the members and for its time, delete the old one."""
    checked_lead(options)
    member = current(chosen, store)
    checked_clock(member, store)
    forget_the_dead(member, store)
    clock = steady()
    document = published(member, member.following().rotated(wall_clock(), options.lead))
    key = document.masters[-1]
    print(f"key {key.number} is published, in force from {since(key)}")
    if options.no_wait:
        return 0
    while True:
        lagging = wait_for_members(member, store, document, clock)
        if not lagging or not options.all:
            break
        print(f"put off: {', '.join(lagging)} have not got it")
        document = published(
            member, member.following().later(wall_clock(), options.lead)
        )
        key = document.masters[-1]
    if lagging:
        print(f"go on without {', '.join(lagging)}, which have not got it")
    else:
        print(f"every member has key {key.number}")
    wait_until(key.begins, clock)
    print(f"key {key.number} is in force")
    over = key.begins + 2 * document.lifetime + document.engine_skew_ms / 1000
    wait_until(over, clock)
    member = current(chosen, store)
    checked_clock(member, store)
    left = member.following().retired(wall_clock())
    if left is not member.document:
        published(member, left)
        print("the keys before it are deleted")
    return int(bool(lagging))


def forget_the_dead(member: Member, store: Store) -> None:
    """Delete records of members that were lost long ago."""
    found, _ = members(store, member.sealer)
    last = wall_clock() - FORGET_SECONDS
    store.forget(*(record.name for record in found if record.time < last))


def checked_lead(options: argparse.Namespace) -> None:
    """Make sure that members have time to get a key.

    Raises:
        Failure: they have not.
    """
    if not 2 <= options.lead <= 86400:
        raise Failure("--lead is 2 to 86400 seconds: every member needs a moment")


def published(
    member: Member, document: Document, secret: bytes | None = None
) -> Document:
    """Put the next version in place, here and in Valkey.

    Raises:
        Failure: another one came first.
    """
    if not member.publish(document, secret):
        raise Failure("another version came first: see syncache fleet status")
    return document


def checked_clock(member: Member, store: Store) -> None:
    """Make sure that our clock is not ahead: members would change at a wrong time.

    Nobody has said so of a machine that publishes nothing.  So two witnesses do: the
    newest record of another is about now by Valkey's clock, and not by ours.

    Raises:
        Failure: it is.
    """
    found, _ = members(store, member.sealer)
    told = [record.time for record in found if record.name != member.conf.name]
    skew = member.following().skew_ms / 1000
    ahead = -member.offset
    if told and ahead > skew:
        age = wall_clock() - ahead - max(told)
        if -skew <= age <= LOST_SECONDS:
            raise Failure(
                f"our clock is {ahead:.1f} s ahead of Valkey's and of the members': "
                "set it right first"
            )


def steady() -> Callable[[], float]:
    """Return a clock that shows the wall's time of now, and is not set meanwhile."""
    offset = wall_clock() - time.monotonic()
    return lambda: offset + time.monotonic()


def wait_for_members(
    member: Member, store: Store, document: Document, clock: Callable[[], float]
) -> list[str]:
    """Wait until members have a version, or nearly its time; return those without."""
    while True:
        now = clock()
        found, _ = members(store, member.sealer)
        lagging = [
            record.name
            for record in found
            if record.version < document.version
            and record.name not in document.revoked
            and now - record.time <= LOST_SECONDS
        ]
        if not lagging or now >= document.masters[-1].begins - 1:
            return lagging
        time.sleep(ASK_SECONDS)


def wait_until(wall: float, clock: Callable[[], float]) -> None:
    """Sleep until a time of a clock."""
    while (left := wall - clock()) > 0:
        time.sleep(min(left, 1.0))


def revoke(options: argparse.Namespace, chosen: conf.Conf, store: Store) -> int:
    """Put a member out: a new key, sealed with a key file that it does not have."""
    checked_lead(options)
    if options.member is None or options.new_key is None:
        raise Failure(
            "revoke needs --member NAME, and --new-key FILE, which is on the machines "
            f"that stay as {chosen.next_key}"
        )
    secret = conf.read_secret(options.new_key)
    member = current(chosen, store)
    checked_clock(member, store)
    if secret == chosen.secret():
        raise Failure(f"{options.new_key} is the key that {options.member} has too")
    if options.member == chosen.name:
        raise Failure(f"{options.member} is this machine: revoke it from another one")
    if not conf.NAME.fullmatch(options.member):
        raise Failure(f"{options.member!r} is not a name of a member")
    if options.member not in store.records():
        print(f"note: no member {options.member} has a record; is it spelled so?")
    document = member.following().revoking(options.member, wall_clock(), options.lead)
    published(member, document, secret)
    store.forget(options.member)
    key = document.masters[-1]
    print(
        f"{options.member} is revoked; key {key.number} is in force from "
        f"{since(key)}, until then {options.member} can make cookies"
    )
    return 0
