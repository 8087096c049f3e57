"""Certificates of a cluster: an authority, and one for scheduler, workers and clients."""

import datetime
import os
from pathlib import Path
from typing import Any

import yaml

DAYS = 365
AUTHORITY, CERTIFICATE, KEY, SETTINGS = "ca.pem", "node.pem", "node.key", "daskid-tls.yaml"


def certs(folder: str | Path, *, days: int = DAYS) -> Path:
    """Make certificates with which scheduler, workers and clients know each other.

    Whoever holds ``node.key`` can join the cluster and run code on it: the folder and its
    files are readable by their owner alone. The key of the authority is not kept, so that
    nobody can sign more. Dask finds them with ``export DASK_CONFIG=FOLDER/daskid-tls.yaml``.

    Parameters
    ----------
    folder
        Made where there is none; on a disk that all nodes of the cluster see.
    days
        For which they hold.

    Returns
    -------
    The path of dask's settings.

    Raises
    ------
    FileExistsError
        If certificates are there already.
    ImportError
        Without the package cryptography.
    ValueError
        If ``days`` is less than 1.
    """
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise ImportError(
            "certs: needs the package cryptography: pip install 'daskid[hpc]'"
        ) from error
    if days < 1:
        raise ValueError(f"days: expected 1 or more, got {days}")
    place = Path(folder).expanduser().absolute()
    found = [name for name in (AUTHORITY, CERTIFICATE, KEY, SETTINGS) if (place / name).exists()]
    if found:
        raise FileExistsError(
            f"folder: expected no certificates in {str(place)!r}, got {', '.join(found)}: use "
            "them, or give another folder"
        )
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    _write(place / AUTHORITY, _signed("daskid authority", authority, authority, days))
    _write(place / CERTIFICATE, _signed("daskid", own, authority, days))
    _write(place / KEY, _pem(own))
    paths = {"cert": str(place / CERTIFICATE), "key": str(place / KEY)}
    tls: dict[str, Any] = {"ca-file": str(place / AUTHORITY)}
    tls |= {role: {**paths} for role in ("scheduler", "worker", "client")}  # no YAML anchors
    comm = {"require-encryption": True, "default-scheme": "tls", "tls": tls}
    settings = {"distributed": {"comm": comm}}
    _write(place / SETTINGS, yaml.safe_dump(settings, sort_keys=False).encode())
    return place / SETTINGS


def _signed(name: str, key: Any, authority: Any, days: int) -> bytes:
    """Return the certificate of a key, signed by the authority; its own where they are one."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509.oid import NameOID

    def named(words: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])

    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("daskid authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=key is authority, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    return bytes(made.public_bytes(serialization.Encoding.PEM))


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _write(path: Path, content: bytes) -> None:
    """Write a file that its owner alone can read, from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
