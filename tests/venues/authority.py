"""A certificate authority that lives as long as one test run."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from functools import cache, cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cancel_tui.venues.tls import build_context


class Authority:
    """A certificate authority of one test run."""

    def __init__(self, name: str = "authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
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
        self.certificate = (
            self._builder(self._name, self._key.public_key(), days=1)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int, begun: int = 2
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=begun))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(issuer, critical=False)
        )

    def server_context(
        self, *hosts: str, days: int = 1, begun: int = 2, alone: bool = False
    ) -> ssl.SSLContext:
        """A context that presents a certificate for these names and addresses; expired for negative days.

        It is valid since `begun` days; `alone`, it is signed by nobody but itself.
        """
        key = self._key if alone else ec.generate_private_key(ec.SECP256R1())
        subject = self._name if alone else x509.Name([])
        names: list[x509.GeneralName] = []
        for host in hosts or ("127.0.0.1", "::1", "localhost"):
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        certificate = (
            self._builder(subject, key.public_key(), days=days, begun=begun)
            .add_extension(x509.SubjectAlternativeName(names), critical=not alone)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:  # the ssl module reads keys from files only
            path = Path(folder) / "server.pem"
            path.write_bytes(pem)
            context.load_cert_chain(path)
        context.set_alpn_protocols(["h2", "http/1.1"])
        return context

    @cached_property
    def client_context(self) -> ssl.SSLContext:
        """The product's own context, made to trust this authority too."""
        context = build_context()
        pem = self.certificate.public_bytes(serialization.Encoding.PEM)
        context.load_verify_locations(cadata=pem.decode("ascii"))
        return context


@cache
def authority() -> Authority:
    """The authority of this test run."""
    return Authority()
