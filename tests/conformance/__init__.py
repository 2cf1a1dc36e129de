"""Conformance: handshake scripts played against the stack under the freebsd preset."""
