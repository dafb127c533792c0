"""TLS for the servers of a mesh: an authority of its own, made here, and a certificate for each server.

    DIR/ca/ca.pem, ca.key          the authority; its key is needed only when a server is added
    DIR/lyon/tls/{cert,key,ca}.pem what the server of lyon reads
    DIR/lyon/keys/ca.pem           what its services and people trust

Who has an authority already puts its files in these places: what is there is never replaced.
"""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from cheops.private_files import write_private, write_whole
from cheops.topology.plan import FOLDER_OF_AUTHORITY
from services.chassis.errors import SettingsError

ANYWHERE: Final = ("0.0.0.0", "::")  # listened at, never dialled
VALID_DAYS: Final = 3650  # replaced by deleting the files and `cheops mesh init` again
CLOCK_SKEW: Final = timedelta(hours=1)


class Authority:
    """The one of a mesh folder, made when it is first needed."""

    def __init__(self, mesh: Path) -> None:
        home = mesh / FOLDER_OF_AUTHORITY
        self._certificate_file, self._key_file = home / "ca.pem", home / "ca.key"

    def certify(self, folder: Path, *hosts: str) -> None:
        """A certificate for the server in `folder`, which is reached at these hosts; kept when it is there."""
        files = folder / "tls"
        if (files / "cert.pem").exists():
            return
        files.mkdir(parents=True, exist_ok=True, mode=0o700)
        issuer, signing = self._own()
        key = ec.generate_private_key(ec.SECP256R1())
        reached = (one for one in (*hosts, "localhost", "127.0.0.1") if one not in ANYWHERE)
        names = [*dict.fromkeys(map(_alternative, reached))]
        made = (
            _builder(folder.name, issuer.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
            .sign(signing, hashes.SHA256())
        )
        write_private(files / "key.pem", _pem(key))
        (files / "ca.pem").write_bytes(issuer.public_bytes(Encoding.PEM))
        write_whole(files / "cert.pem", made.public_bytes(Encoding.PEM).decode())

    def trusted(self) -> bytes:
        """The authority's certificate."""
        return self._own()[0].public_bytes(Encoding.PEM)

    def _own(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if not self._certificate_file.exists():
            self._make()
        try:
            certificate = x509.load_pem_x509_certificate(self._certificate_file.read_bytes())
            key = load_pem_private_key(self._key_file.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise SettingsError(f"{self._key_file.parent}: no authority can be read there ({error})") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise SettingsError(f"{self._key_file}: expected a key on an elliptic curve")
        return certificate, key

    def _make(self) -> None:
        self._key_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cheops mesh")])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            _builder("cheops mesh", name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        write_private(self._key_file, _pem(key))
        write_whole(self._certificate_file, made.public_bytes(Encoding.PEM).decode())


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=VALID_DAYS))
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
