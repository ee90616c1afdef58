"""The one digest that records, names and entries are known by; what makes it is loaded at the first use.

That takes longer than any module of ours, and nothing that the first picture shows has a digest.
"""

from __future__ import annotations


def digest_of(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()
