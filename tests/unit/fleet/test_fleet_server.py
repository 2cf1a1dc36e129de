"""What real servers refuse: memory, writes, users; keys come while they read."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID
from first_document import FIRST

from syncache.fleet.member import Member
from syncache.fleet.store import Store, StoreError

HERE = "127.0.0.1"  # which has no need of a name: a bare system may lack /etc/hosts
# As docs/fleet.md has it.
COMMANDS = (
    "-@all +getrange +set +xadd +xread +xrange +hget +hset +hdel +hlen +hrandfield "
    "+time +eval +evalsha +script|load"
)


@pytest.fixture
def member(server, member_conf):
    """Make members; the first has made the group."""
    made = []

    def make(name, owner="", **words):
        url = server.url.replace("://", f"://{owner}@") if owner else server.url
        conf = member_conf(name, url)
        one = Member(conf, Store(conf), **words)
        if not made:
            assert one.publish(FIRST)
        made.append(one)
        one.turn()
        return one

    yield make
    for one in made:
        one.close()


def refuse_memory(client):
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")


def refuse_writes(client):
    client.execute_command("REPLICAOF", "127.0.0.1", "1")


REFUSALS = {
    "OOM|maxmemory": (refuse_memory, lambda c: c.config_set("maxmemory", "0")),
    "read only replica|READONLY": (
        refuse_writes,
        lambda c: c.execute_command("REPLICAOF", "NO", "ONE"),
    ),
}


@pytest.mark.parametrize("words", REFUSALS)
def test_server_that_only_reads_goes_on_giving_keys(member, server, words):
    """The alarm says what it refused, without the request, and is over with it."""
    one, other = member("edge-1"), member("edge-2")
    one.publish(FIRST.rotated(1000, 60))
    begin, end = REFUSALS[words]
    begin(server.client())
    for _ in range(3):
        other.turn()
    assert 2 == other.document.version
    assert ["refused"] == [*other.alarms]
    assert any(word in other.alarms["refused"] for word in words.split("|"))
    assert "HSET" not in other.alarms["refused"]
    assert 1 == sum("ALARM" in line for line in other.lines)
    with pytest.raises(StoreError, match=words):
        one.publish(one.following().rotated(1000, 60))
    end(server.client())
    other.turn()
    assert {} == other.alarms


def test_user_needs_no_more_than_the_page_says(member, server):
    """All that a member and an operator ask of the server."""
    rights = f"~syncache:web:* {COMMANDS}".split()
    server.client().execute_command("ACL", "SETUSER", "sy", "on", ">pw", *rights)
    member("edge-1")
    one = member("edge-2", "sy:pw")
    assert one.publish(one.following().rotated(1000, 60))
    store = Store(one.conf)
    assert {"edge-1", "edge-2"} == set(store.records())
    store.exchange(("edge-2", b"x"), "-")
    store.wait(0.01)
    store.forget("edge-1")
    store.close()
    one._clock_due = one._record_due = 0.0
    one.turn()
    assert {} == one.alarms


def test_password_that_was_changed_is_an_alarm_until_it_is_right(member, server):
    """A connection that is open goes on; a new one does not, and no word is shown."""
    client = server.client()
    client.execute_command("ACL", "SETUSER", "sy", "on", ">hush", "~*", "+@all")
    member("edge-1")
    one = member("edge-2", "sy:hush")
    client.execute_command("ACL", "SETUSER", "sy", "resetpass", ">other")
    client.execute_command("CLIENT", "KILL", "USER", "sy")
    one._end.wait = lambda *_: None
    for _ in range(2):
        one.attempt()
    assert ["away"] == [*one.alarms]
    assert "hush" not in one.alarms["away"]
    client.execute_command("ACL", "SETUSER", "sy", ">hush")
    one.attempt()
    assert {} == one.alarms


@pytest.mark.parametrize(
    "words", ["MOVED 7000 192.0.2.1:6379", "ASK 7000 [2001:db8::1]:6379", "MOVED 7 :1"]
)
def test_cluster_is_named(member, monkeypatch, words):
    """Its keys would lie on several servers."""
    import valkey

    one = member("edge-1")
    error = valkey.ResponseError(words)  # as the client reads it
    monkeypatch.setattr(
        one._store._valkey, "pipeline", lambda **_: (_ for _ in ()).throw(error)
    )
    with pytest.raises(StoreError, match="it is a cluster or redirects, and has to be"):
        one.turn()


def usage(*, signs):
    """Return the extension of a key that signs certificates, or messages."""
    others = "content_commitment key_encipherment data_encipherment key_agreement"
    others += " crl_sign encipher_only decipher_only"
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        **dict.fromkeys(others.split(), False),
    )


def certificate(folder, host, days):
    """Write a certificate that names a host, and the authority that signed it.

    Both by RFC 5280, since Python 3.13 refuses those that are not.
    """
    now = dt.datetime.now(dt.timezone.utc)
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])

    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(
        authority.public_key()
    )

    def signed(key, subject, extension, *, ca):
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=60))
            .not_valid_after(now + dt.timedelta(days=days))
            .add_extension(extension, critical=ca)
            .add_extension(usage(signs=ca), critical=True)
            .add_extension(issuer_key, critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                critical=False,
            )
            .sign(authority, SHA256())
        )

    signer = x509.BasicConstraints(ca=True, path_length=None)
    root = signed(authority, issuer, signer, ca=True)
    known_as = (
        x509.IPAddress(ipaddress.ip_address(host))
        if host == HERE
        else x509.DNSName(host)
    )
    names = x509.SubjectAlternativeName([known_as])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    leaf = signed(own, subject, names, ca=False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "own.pem").write_bytes(
        leaf.public_bytes(pem)
        + own.private_bytes(
            pem,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


@pytest.mark.parametrize(
    ("host", "days", "options", "words"),
    [
        (HERE, 30, "ssl_ca_certs={}/ca.pem", ""),
        (HERE, 30, "client_name=x", "certificate verify failed"),
        (HERE, -1, "ssl_ca_certs={}/ca.pem", "expired"),
        ("example.net", 30, "ssl_ca_certs={}/ca.pem", "IP address mismatch"),
        ("example.net", 30, "ssl_ca_certs={}/ca.pem&ssl_check_hostname=no", ""),
        ("example.net", -1, "ssl_cert_reqs=none", ""),
    ],
)
def test_certificate_has_to_be_the_hosts_and_in_force(
    tmp_path, member_conf, host, days, options, words
):
    """The answer to one request, by a server that has such a certificate."""
    certificate(tmp_path, host, days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "own.pem")
    listener = socket.create_server((HERE, 0))

    def serve():
        with contextlib.suppress(OSError):
            peer, _ = listener.accept()
            with context.wrap_socket(peer, server_side=True) as tls:
                while tls.recv(4096):
                    tls.sendall(b"+OK\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    url = f"valkeys://{HERE}:{port}?{options.format(tmp_path)}"
    store = Store(member_conf("edge-1", url))
    try:
        if words:
            with pytest.raises(StoreError, match=words):
                store.document()
        else:
            assert b"OK" == store.document()
    finally:
        store.close()
        listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for a client in vain
        listener.close()
        thread.join()
