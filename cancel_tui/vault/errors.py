"""What can go wrong with the keyring, in sentences of our own.

The texts of foreign exceptions may hold secrets: they are searched for a few words and never shown, and
no error of ours carries a foreign exception as its cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import TracebackType
from typing import Self


class VaultError(Exception):
    """The keyring could not do it; the text is one line for a person, remedy included, no secret in it."""

    def fresh(self) -> Self:
        """The same error without traceback, cause or context: frames on the way may hold secrets."""
        return type(self)(*self.args)


class NoBackend(VaultError):
    """There is no keyring backend that could keep a secret."""


class VaultLocked(VaultError):
    """The keyring is there, and locked."""


class VaultDenied(VaultError):
    """A person, or a policy, said no to the keyring's question."""


class MissingEntry(VaultError):
    """Nothing is stored under this name."""


class VaultBroken(VaultError):
    """Anything else: damaged entries, backends that fail or forget, no answer in time."""


class Unresponsive(VaultBroken):
    """The keyring did not answer in time; it may be waiting for a person."""


_ANOTHER = "name another backend in PYTHON_KEYRING_BACKEND"
_SET = "`cancel-tui keys set VENUE`"


def no_backend() -> NoBackend:
    """No store at all was found."""
    return NoBackend(
        "no usable keyring backend: start the system's keyring in this session "
        f"(on Linux a Secret Service or KWallet), or {_ANOTHER}"
    )


def switched_off(backend: str) -> NoBackend:
    """A backend that keeps nothing was chosen on purpose."""
    return NoBackend(f"no usable keyring backend: {backend} keeps nothing; {_ANOTHER} or in keyringrc.cfg")


def refused_plaintext(backend: str) -> NoBackend:
    """Only a plain text store was found, and nobody asked for one."""
    return NoBackend(
        f"no usable keyring backend: {backend}, the only one found, keeps secrets as plain text; "
        "start a system keyring, or accept this one by name in the configuration: "
        f'`accept = ["{backend}"]` under [keyring]'
    )


def cannot_load(source: str) -> NoBackend:
    """The backend that the user named does not exist or does not work here."""
    return NoBackend(
        f"no usable keyring backend: the one named in {source} cannot be loaded here; "
        "correct the name, or remove it"
    )


def locked() -> VaultLocked:
    """The store as a whole is locked."""
    return VaultLocked(
        "the keyring is locked: unlock it (log in to the desktop, or answer its prompt), then retry"
    )


def would_prompt(backend: str) -> VaultLocked:
    """An encrypted file would ask for its password on the terminal that the console is drawn on."""
    return VaultLocked(
        f"the keyring is locked: {backend} would ask for its password on this terminal; "
        "hand it over in keyring's own KEYRING_PROPERTY_KEYRING_KEY, or use a system keyring"
    )


def denied() -> VaultDenied:
    """A prompt was denied or closed."""
    return VaultDenied("access to the keyring was denied or its prompt was closed: retry, and allow it")


def missing(name: str) -> MissingEntry:
    """No entry of this name."""
    return MissingEntry(f"no credentials are stored under {name!r}: store them with {_SET}")


def damaged(name: str) -> VaultBroken:
    """The parts of an entry do not belong together."""
    return VaultBroken(
        f"the credentials stored under {name!r} are damaged (a write was cut short, or something else "
        f"changed them): store the credentials again with {_SET}"
    )


def newer(name: str) -> VaultBroken:
    """An entry that a later version of this program wrote."""
    return VaultBroken(
        f"the credentials stored under {name!r} were written by a newer cancel-tui: "
        "use that one, or store the credentials again"
    )


def too_long() -> VaultBroken:
    """More than any set of credentials needs."""
    return VaultBroken("the credentials are too long for the keyring: check what was pasted")


def forgotten() -> VaultBroken:
    """A read-back did not give what had been written."""
    return VaultBroken(f"the keyring did not keep what was stored in it: unlock or repair it, or {_ANOTHER}")


def undeletable() -> VaultBroken:
    """Something is still there after it was deleted."""
    return VaultBroken(
        "the keyring would not delete what is stored in it: delete the entries that begin with "
        "`cancel-tui:` in the system's own keyring program"
    )


def vanished() -> VaultBroken:
    """Something else deleted an item between two steps of ours."""
    return VaultBroken("an entry of the keyring vanished while it was in use: retry")


def unresponsive(seconds: float) -> Unresponsive:
    """The limit has passed."""
    return Unresponsive(
        f"the keyring did not answer in {seconds:g} s: look for a prompt that waits for you, "
        "or unlock it, then retry"
    )


def too_many_stuck() -> Unresponsive:
    """Several earlier calls hang; one more would hang as well."""
    return Unresponsive(
        "the keyring did not answer earlier calls, which still hang: restart it, then restart cancel-tui"
    )


_DENIED = re.compile(r"\b(denied|dismissed|cancell?ed|refused by)\b", re.IGNORECASE)
_LOCKED = re.compile(r"\b(locked|unlock)\b|IsLocked|-25308\b", re.IGNORECASE)
_ABSENT = re.compile(r"ServiceUnknown|NoServer|NameHasNoOwner|\.Spawn\.|DBUS_SESSION_BUS_ADDRESS")
_NO_LOGON_SESSION = 1312
"""Windows: the credential manager is not available to a session without a logon (services, SSH)."""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it was raised from, a few steps deep."""
    current: BaseException | None = error
    for _ in range(6):
        if current is None:
            return
        yield current
        current = current.__cause__ or current.__context__


def translate(error: BaseException) -> VaultError:
    """Make a sentence of ours of any exception that came out of a keyring backend."""
    if isinstance(error, VaultError):
        return error.fresh()
    chain = tuple(_chain(error))
    names = {cls.__name__ for one in chain for cls in type(one).__mro__}
    # File errors say "Permission denied" for reasons that no keyring prompt could change.
    words = " ".join(str(one) for one in chain if not isinstance(one, OSError))
    if names & {"PromptDismissedException", "KeychainDenied"} or _DENIED.search(words):
        return denied()
    if names & {"KeyringLocked", "LockedException"} or _LOCKED.search(words):
        return locked()
    if (
        names & {"NoKeyringError", "InitError", "SecretServiceNotAvailableException"}
        or _ABSENT.search(words)
        or getattr(error, "winerror", None) == _NO_LOGON_SESSION
    ):
        return no_backend()
    if "ItemNotFoundException" in names:
        return vanished()
    if isinstance(error, TimeoutError):
        return Unresponsive("the keyring reported that it ran out of time: unlock it, then retry")
    what = "refused to store the credentials" if "PasswordSetError" in names else "failed"
    return VaultBroken(
        f"the keyring {what} ({type(error).__name__[:60]}): see that it works in the system's own "
        f"keyring program, or {_ANOTHER}"
    )


class Boundary:
    """Swallows whatever is raised inside it and keeps the translated error, without the original."""

    error: VaultError | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.error = translate(error)
        return True
