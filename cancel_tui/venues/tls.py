"""The one TLS context of the process: the machine's trusted authorities, names verified, HTTP/1.1 only."""

from __future__ import annotations

import asyncio
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
