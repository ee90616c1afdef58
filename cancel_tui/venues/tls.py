"""The one TLS context of the process: the machine's trusted authorities, names verified, HTTP/1.1 only."""

from __future__ import annotations

import asyncio
import ssl
from functools import cache


@cache
def client_context() -> ssl.SSLContext:
    """Build the context once; takes 20 to 30 ms, so ask from a thread first (`prepare`)."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


async def prepare() -> ssl.SSLContext:
    """The context, built off the event loop the first time."""
    return await asyncio.get_running_loop().run_in_executor(None, client_context)
