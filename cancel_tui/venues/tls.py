"""The one TLS context of the process: the machine's trusted authorities, names verified, HTTP/1.1 only.

And why a connection did not come about, in a sentence without any address.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading

_lock = threading.Lock()
_made: list[ssl.SSLContext] = []


def build_context() -> ssl.SSLContext:
    """Build a context for connections to venues; takes 20 to 30 ms."""
    # Not `create_default_context`, which obeys SSLKEYLOGFILE: what opens signed requests belongs in no file.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies chain and name
    context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def client_context() -> ssl.SSLContext:
    """The context, built once whatever threads ask; ask from a thread the first time (`prepare`)."""
    with _lock:
        if not _made:
            _made.append(build_context())
    return _made[0]


async def prepare() -> ssl.SSLContext:
    """The context, built off the event loop the first time."""
    return _made[0] if _made else await asyncio.get_running_loop().run_in_executor(None, client_context)


_CERTIFICATE = {
    9: "is not valid yet",
    10: "has expired",
    18: "is signed by nobody but itself",
    62: "is for another name",
    64: "is for another address",
}
"""OpenSSL's verification codes (`X509_V_ERR_…`); its own texts name the host."""


def why(error: Exception) -> str:
    """Why no connection came about, without the address that the system's own texts hold."""
    if isinstance(error, ssl.SSLCertVerificationError):
        fault = _CERTIFICATE.get(error.verify_code, "is not from an authority that this machine trusts")
        return f"the venue's certificate {fault}"
    if isinstance(error, ssl.SSLError):
        return "no TLS connection could be made"
    if isinstance(error, socket.gaierror):
        return "the venue's name could not be resolved"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, OSError):
        return f"no connection ({os.strerror(error.errno) if error.errno else type(error).__name__})"
    return f"the venue's address cannot be used ({type(error).__name__})"
