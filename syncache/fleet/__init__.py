"""A fleet: machines that share cookie keys through Valkey.

    conf      what a member has to know: one file, or the environment
    seal      authenticated encryption of everything that leaves a machine
    document  the keys of the group, with a version that only rises
    record    what a member publishes of itself
    clocks    whose wall clock is wrong, judged by what members sealed
    store     the words that are spoken with Valkey; bounded in time and size
    member    the agent of one machine: watches the group, writes the keyring file

What does not live here: cookies and packets.  An engine takes its keys from the keyring
file, which is on the machine; whatever Valkey does or says, no packet waits for it.
"""

from __future__ import annotations


class FleetError(Exception):
    """Something of the group cannot be used; one line says what."""
