"""Certificates as somebody makes them for a Dask cluster: an authority, and what it signs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_DAY = timedelta(days=1)


class Files(NamedTuple):
    """In PEM form: who signed, what was signed, and its key."""

    ca: Path
    certificate: Path
    key: Path

    @property
    def config(self):
        """As in the config's ``cluster.tls``."""
        return {name: str(path) for name, path in self._asdict().items()}

    @property
    def options(self):
        """As ``dask scheduler`` and ``dask worker`` take them."""
        pairs = zip(("--tls-ca-file", "--tls-cert", "--tls-key"), self, strict=True)
        return [str(word) for pair in pairs for word in pair]


class Authority:
    """Who signs the certificates of a cluster."""

    def __init__(self, folder, name="authority"):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._ca = folder / "ca.pem"
        self._ca.write_bytes(self._sign(self._name, self._key.public_key(), ca=True))

    def signed(self, name, *, expired=False):
        """The files for whoever is called ``name``."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        files = Files(self._ca, self._folder / f"{name}.pem", self._folder / f"{name}.key")
        files.certificate.write_bytes(self._sign(subject, key.public_key(), expired=expired))
        files.key.touch(0o600)
        files.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files

    def _sign(self, subject, public_key, *, ca=False, expired=False):
        end = datetime.now(UTC) + (-_DAY if expired else _DAY)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - 2 * _DAY)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)
