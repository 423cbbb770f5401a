# SPDX-License-Identifier: Apache-2.0
"""The certificate is made once, private from the first byte, and anew when it does not fit."""

import stat
from pathlib import Path

import pytest
from cryptography import x509

from hiors_core.errors import HiorsError, InvalidValue
from hiors_seat.web.certificate import addresses, fingerprint, tls_context

HOSTS = ["localhost", "127.0.0.1"]


def test_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    tls_context(folder, HOSTS)
    first = fingerprint(folder)
    tls_context(folder, HOSTS)
    assert fingerprint(folder) == first
    assert len(first) == 32 * 3 - 1
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    files = list(folder.iterdir())
    assert [f.name for f in files] == ["certificate.pem"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_a_new_address_makes_a_new_certificate(tmp_path: Path) -> None:
    tls_context(tmp_path, HOSTS)
    first = fingerprint(tmp_path)
    tls_context(tmp_path, [*HOSTS, "192.0.2.7"])
    assert fingerprint(tmp_path) != first
    pem = (tmp_path / "certificate.pem").read_bytes()
    names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "192.0.2.7" in {str(n.value) for n in names.value}


def test_a_key_that_others_could_read_is_refused(tmp_path: Path) -> None:
    tls_context(tmp_path, HOSTS)
    (tmp_path / "certificate.pem").chmod(0o644)
    with pytest.raises(InvalidValue, match=r"0644.*Delete it"):
        tls_context(tmp_path, HOSTS)


def test_a_damaged_file_and_a_bad_folder_say_what_to_do(tmp_path: Path) -> None:
    damaged = tmp_path / "certificate.pem"
    damaged.touch(mode=0o600)
    with pytest.raises(HiorsError, match="Delete it to have a new one made"):
        tls_context(tmp_path, HOSTS)
    with pytest.raises(HiorsError, match="state_dir"):
        tls_context(damaged / "below", HOSTS)


def test_the_addresses_hold_the_ways_to_reach_the_server() -> None:
    assert {"localhost", "127.0.0.1", "192.0.2.9"} <= set(addresses("192.0.2.9"))
    assert "0.0.0.0" not in addresses("0.0.0.0")
