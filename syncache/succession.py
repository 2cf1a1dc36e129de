"""The life of master keys: the next one, its time, the ones that are over.

Contents: pure functions of keyrings and of seconds of the wall clock.  Files are
the business of `keyring`, and who else has the same keys that of `fleet`.

    published      the key is in the file of each machine; nobody makes cookies with it
    in force       from the first second of an epoch on, at the same time everywhere
    over           its successor is in force; its cookies are still redeemed
    retired        its last cookie has expired: the key is deleted
"""

from __future__ import annotations

from .keyring import DerivedKeyring, Keyring, KeyringError, Master

LEAD_SECONDS = 300.0  # enough to copy a file to every machine


def epoch_at(wall: float, lifetime: int) -> int:
    """Return the first second of the first epoch that begins at a time or later."""
    return -(int(-wall // 1) // lifetime) * lifetime


def rotated(
    keys: DerivedKeyring,
    wall: float,
    *,
    lifetime: int,
    lead: float = LEAD_SECONDS,
    skew: float = 0.0,
) -> DerivedKeyring:
    """Return a keyring with a new master, and without those that are retired.

    Args:
        keys: the keyring before.
        wall: the time, in seconds since 1970.
        lifetime: of a cookie, in seconds; a key comes into force with an epoch.
        lead: seconds until then at least, in which every machine gets the key.
        skew: by how many seconds clocks may differ.
    """
    newest = keys.masters[-1]
    begins = max(epoch_at(wall + lead, lifetime), newest.begins)
    fresh = Master.generate(newest.number + 1, begins)
    return retired(keys, wall, lifetime=lifetime, skew=skew).with_master(fresh)


def retired(
    keys: DerivedKeyring, wall: float, *, lifetime: int, skew: float = 0.0
) -> DerivedKeyring:
    """Return a keyring without the masters whose last cookie has expired.

    A key makes its last cookie when its successor comes into force, and a cookie lives
    two lifetimes.
    """
    first = 0
    for place, successor in enumerate(keys.masters[1:], 1):
        if successor.begins + 2 * lifetime + skew <= wall:
            first = place
    return keys.with_masters(keys.masters[first:])


def check(before: Keyring | None, after: DerivedKeyring) -> None:
    """Make sure that a keyring may take the place of another one.

    Raises:
        KeyringError: cookies of the keyring before would be lost, or it is older.
    """
    if not isinstance(before, DerivedKeyring):
        return
    if after.group != before.group:
        raise KeyringError(
            f"it is of the group {after.group or '(none)'}, and "
            f"{before.group or '(none)'} is in force: restart to change the group"
        )
    highest, known = after.masters[-1].number, before.masters[-1].number
    if highest < known:
        raise KeyringError(
            f"its newest key is {highest}, and {known} is known: it is an older file, "
            "and is ignored"
        )
    secrets = {master.number: master.secret for master in before.masters}
    for master in after.masters:
        if secrets.get(master.number, master.secret) != master.secret:
            raise KeyringError(
                f"key {master.number} is another one than before: a new key has a new "
                "number (syncache key rotate)"
            )
