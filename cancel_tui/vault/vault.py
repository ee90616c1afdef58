"""Named sets of credentials in the keyring, from async code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from cancel_tui.redaction import Secret
from cancel_tui.vault.backends import BackendInfo, Chosen, Strength, choose
from cancel_tui.vault.errors import (
    Boundary,
    Unresponsive,
    VaultDenied,
    VaultError,
    VaultLocked,
    no_backend,
    refused_plaintext,
    switched_off,
    too_many_stuck,
    would_prompt,
)
from cancel_tui.vault.items import Items
from cancel_tui.vault.worker import Worker

T = TypeVar("T")
_MOST_STUCK = 4
"""Hung threads that are left behind before new calls are refused."""


class _Session:
    """A worker thread, the backend that was chosen in it, and the refusal that ended its use."""

    def __init__(self, limit_seconds: float, prefix: str) -> None:
        self.worker = Worker(limit_seconds)
        self.refusal: VaultError | None = None
        self._prefix = prefix
        self._chosen: Chosen | None = None

    def run(self, work: Callable[[_Session], T]) -> T:
        """Do it in the thread. Checked here too, so that calls already queued ask no second question."""
        if self.refusal is not None:
            raise self.refusal.fresh()
        with Boundary() as boundary:
            return work(self)
        error = boundary.error or no_backend()
        if isinstance(error, VaultLocked | VaultDenied | Unresponsive):
            self.refusal = error
        raise error.fresh()

    def chosen(self) -> Chosen:
        """The backend; found at the first use, in the thread."""
        if self._chosen is None:
            self._chosen = choose()
        return self._chosen

    def items(self, writing: bool = False) -> Items:
        """The entries; raises NoBackend for a backend that must not or cannot serve."""
        chosen = self.chosen()
        info = chosen.info
        if info.strength is Strength.NONE:
            raise switched_off(info.name) if info.explicit else no_backend()
        if writing and info.strength is Strength.PLAINTEXT and not info.explicit:
            raise refused_plaintext(info.name)
        if chosen.would_prompt:
            raise would_prompt(info.name)
        return Items(chosen.store, self._prefix, lambda: self.worker.wanted)


class Vault:
    """Credentials by name.

    Every call ends within the limit. After a lock, a denial or a call that hung, later calls fail at once
    with the same error, so that a person sees one question and not one per venue; `retry` asks again.
    """

    def __init__(self, *, limit_seconds: float = 5.0, service_prefix: str = "cancel-tui") -> None:
        self._limit = limit_seconds
        self._prefix = service_prefix
        self._session: _Session | None = None
        self._stuck: list[Worker] = []

    async def backend(self) -> BackendInfo:
        """The backend in use. None found is an answer too (strength NONE), not an error."""
        return await self._call(lambda session: session.chosen().info)

    async def get(self, name: str) -> dict[str, Secret]:
        """All fields of an entry; raises MissingEntry where there is none."""

        def work(session: _Session) -> dict[str, Secret]:
            return {field: Secret(value) for field, value in session.items().load(name).items()}

        return await self._call(work)

    async def put(self, name: str, fields: Mapping[str, Secret]) -> None:
        """Store an entry, replacing an older one, and read it back. What is stored already is not rewritten.

        A caller that is cancelled does not stop a write that has begun.
        """
        if not fields:
            raise ValueError("an entry without fields")

        def work(session: _Session) -> None:
            session.items(writing=True).save(name, {field: value.reveal() for field, value in fields.items()})

        await self._call(work)

    async def delete(self, name: str) -> None:
        """Remove an entry; raises MissingEntry where there is none."""
        await self._call(lambda session: session.items().erase(name))

    async def known(self, names: Sequence[str]) -> dict[str, bool]:
        """Which of these names have an entry. A keyring cannot be asked for all its names."""

        def work(session: _Session) -> dict[str, bool]:
            items = session.items()
            return {name: items.has(name) for name in names}

        return await self._call(work)

    def retry(self) -> None:
        """Forget the last lock, denial or hang, and the backend: the next call asks anew."""
        self.close()

    def close(self) -> None:
        """Let the thread end; a later call starts another."""
        if self._session is not None:
            worker = self._session.worker
            worker.abandon()
            if worker.busy:
                self._stuck.append(worker)
            self._session = None

    async def _call(self, work: Callable[[_Session], T]) -> T:
        session = self._open()
        if session.refusal is not None:
            raise session.refusal.fresh()
        try:
            return await session.worker.call(lambda: session.run(work))
        except Unresponsive as error:
            session.refusal = error.fresh()
            session.worker.abandon()
            raise

    def _open(self) -> _Session:
        if self._session is None:
            self._stuck = [worker for worker in self._stuck if worker.busy]
            if len(self._stuck) >= _MOST_STUCK:
                raise too_many_stuck()
            self._session = _Session(self._limit, self._prefix)
        return self._session
