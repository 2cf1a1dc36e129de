"""A fleet: machines that share cookie keys through Valkey.

    conf      the settings of a member: one file, or the environment
    seal      authenticated encryption of everything that leaves a machine
    document  the keys of the group, with a version that only rises
    record    the data that a member publishes about itself
    clocks    whose wall clock is wrong, judged by the members' sealed records
    store     the words that are spoken with Valkey; bounded in time and size
    member    the agent of one machine: watches the group, writes the keyring file

Elsewhere: cookies and packets.  An engine takes its keys from the keyring
file, which is on the machine; whatever Valkey does or says, no packet waits for it.
"""

from __future__ import annotations


class FleetError(Exception):
    """Something of the group cannot be used; one line says which."""
