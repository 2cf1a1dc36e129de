"""The parts of the minimal TCP behind a listener, one feature a module.

`syncache.connection` puts them together; nothing here knows a listener, a stack or an
engine.  Times are integers of milliseconds of the caller's monotonic clock.

Sequence numbers are ordinary Python integers that grow beyond 2^32: `arrival.near()`
unwraps what comes from the wire next to a number that is known, so comparisons are
those of integers and wrap-around lives in one place.
"""
