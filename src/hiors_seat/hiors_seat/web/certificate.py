# SPDX-License-Identifier: Apache-2.0
"""The self-signed certificate of the page: made once, kept with its key for the owner's eyes."""

import datetime
import ipaddress
import os
import socket
import ssl
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hiors_core.errors import HiorsError, InvalidValue

_LIFE = datetime.timedelta(days=730)
_RENEW = datetime.timedelta(days=30)
_FILE = "certificate.pem"


def tls_context(folder: Path, hosts: Sequence[str]) -> ssl.SSLContext:
    """Return the server's TLS settings; makes key and certificate when there are none to use."""
    path = folder / _FILE
    if not _usable(path, hosts):
        _write(path, _make(hosts))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(path)
    return context


def fingerprint(folder: Path) -> str:
    """Return the certificate's SHA-256, as browsers show it."""
    digest = _read(folder / _FILE).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def addresses(host: str) -> list[str]:
    """Return the names under which a server bound to ``host`` is reached."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), lan_address()]
    if host not in ("0.0.0.0", "::"):
        names.append(host)
    return list(dict.fromkeys(names))


def lan_address() -> str:
    """Return this machine's address towards the network (no packet is sent), or 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _usable(path: Path, hosts: Sequence[str]) -> bool:
    """Whether there is a private certificate that is not about to end and names the hosts."""
    if not path.exists():
        return False
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise InvalidValue(
            f"{path} holds a private key and has mode {mode:04o}: others may have read it. "
            "Delete it to have a new one made, or `chmod 600` it if you know better."
        )
    certificate = _read(path)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    known = {str(name.value) for name in names}
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return left > _RENEW and set(hosts) <= known


def _read(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise HiorsError(
            f"Cannot read the certificate {path}: {error}. Delete it to have a new one made."
        ) from error


def _make(hosts: Sequence[str]) -> bytes:
    """Return a new key and its certificate as one PEM text."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hiors")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFE)
        .add_extension(x509.SubjectAlternativeName([_general_name(h) for h in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, data: bytes) -> None:
    """Write aside with mode 0600 from the first byte on, then rename."""
    aside = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        aside.replace(path)
    except OSError as error:
        raise HiorsError(
            f"Cannot store the certificate in {path.parent}: {error}. "
            "Set the parameter 'state_dir' to a folder of yours."
        ) from error
