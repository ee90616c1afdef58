"""Named sets of credentials in the keyring, from async code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from cancel_tui.redaction import Secret
from cancel_tui.vault import prompter
from cancel_tui.vault.backends import SECRET_SERVICES, BackendInfo, Chosen, choose
from cancel_tui.vault.errors import (
    Boundary,
    Unresponsive,
    VaultDenied,
    VaultError,
    VaultLocked,
    denied,
    no_backend,
    too_many_stuck,
)
from cancel_tui.vault.items import Items
from cancel_tui.vault.worker import Call, Worker

T = TypeVar("T")
_MOST_STUCK = 4
"""Workers with hung threads that are left behind before new calls are refused."""


class _Session:
    """The threads, the backend that was chosen in them, and the refusal that ended their use.

    Before the first entry is touched the store is asked for one that does not exist. Who is refused there, or
    gets no answer, is refused by the store as a whole: that ends the use of it for every entry. After that,
    what is refused or held up is one entry, by a question about that entry, and the others go on.
    """

    def __init__(self, limit_seconds: float, prefix: str, accept: frozenset[str]) -> None:
        self.worker = Worker(limit_seconds)
        self.refusal: VaultError | None = None
        self.reads: dict[str, Call[dict[str, Secret]]] = {}
        """Reads that are under way, that were answered when nobody waited any more, or that were refused."""
        self._prefix = prefix
        self._accept = accept
        self._asked_to_open = False
        self.backend: Chosen | None = None

    @property
    def open(self) -> bool:
        """Whether the store as a whole gives answers."""
        return self.worker.spreads

    def submit(self, work: Callable[[_Session], T]) -> Call[T]:
        """Let a thread do it, once the store is open."""
        if not self._asked_to_open:
            self._asked_to_open = True
            self.worker.submit(self._open)
        return self.worker.submit(lambda: self._entry(work))

    def ask(self, work: Callable[[_Session], T]) -> Call[T]:
        """Let a thread do it, whether the store is open or not."""
        return self.worker.submit(lambda: self._run(work, self._refuse))

    def read(self, name: str) -> Call[dict[str, Secret]]:
        """The read of an entry that is under way or refused, or another one."""
        call = self.reads.get(name)
        if call is None:

            def work(session: _Session) -> dict[str, Secret]:
                return {field: Secret(value) for field, value in session.items().load(name).items()}

            call = self.reads[name] = self.submit(work)
        return call

    def forget(self, name: str) -> None:
        """Let the entry be read again."""
        self.reads.pop(name, None)

    # ------------------------------------------------------------------ in the threads

    def _run(self, work: Callable[[_Session], T], refuse: Callable[[VaultError], None]) -> T:
        # Checked here too, so that calls already queued ask no second question.
        if self.refusal is not None:
            raise self.refusal.fresh()
        with Boundary() as boundary:
            return work(self)
        error = boundary.error or no_backend()
        if isinstance(error, VaultLocked) and self._asks_a_person() and prompter.shown():
            error = denied()
        if isinstance(error, VaultLocked | VaultDenied | Unresponsive):
            refuse(error)
        raise error.fresh()

    def _entry(self, work: Callable[[_Session], T]) -> T:
        if not self.open:
            self._open()
        return self._run(work, self._shut)

    def _open(self) -> None:
        self._run(_Session._look, self._refuse)

    def _look(self) -> None:
        self.items().look()
        self.worker.spreads = True

    def _asks_a_person(self) -> bool:
        return self.backend is not None and self.backend.info.name in SECRET_SERVICES

    def _refuse(self, error: VaultError) -> None:
        self.refusal = error

    def _shut(self, _: VaultError) -> None:
        # It may be the store all the same, locked since: it is asked again before another entry is.
        self.worker.spreads = False

    def chosen(self) -> Chosen:
        """The backend; found at the first use, in the thread."""
        if self.backend is None:
            self.backend = choose(self._accept)
        return self.backend

    def items(self) -> Items:
        """The entries; raises NoBackend for a backend that must not or cannot serve."""
        return Items(self.chosen().usable(), self._prefix, lambda: self.worker.wanted)


class Vault:
    """Credentials by name.

    Every call ends within the limit. After a lock, a denial or a call that hung, later calls fail at once
    with the same error, so that a person sees one question and not one per venue; `retry` asks again. Where
    it is one entry that was refused or hangs, that entry alone fails. An answer that comes after the limit
    serves the next one who asks for that entry.

    `accept` names backends, as module and class, that may serve although they protect nothing.
    """

    def __init__(
        self,
        *,
        limit_seconds: float = 5.0,
        service_prefix: str = "cancel-tui",
        accept: Iterable[str] = (),
    ) -> None:
        self._limit = limit_seconds
        self._prefix = service_prefix
        self._accept = frozenset(accept)
        self._session: _Session | None = None
        self._stuck: list[Worker] = []

    @property
    def seen(self) -> BackendInfo | None:
        """The backend, as far as it is known without asking."""
        chosen = self._session.backend if self._session is not None else None
        return chosen.info if chosen is not None else None

    async def backend(self) -> BackendInfo:
        """The backend in use. None found is an answer too (strength NONE), not an error."""
        session = self._open()
        return await self._answered(session, session.ask(lambda one: one.chosen().info))

    def begin(self, names: Iterable[str]) -> None:
        """Begin to read entries that will be asked for, without waiting and without an event loop."""
        try:
            session = self._open()
        except VaultError:
            return
        for name in names:
            session.read(name)

    async def get(self, name: str) -> dict[str, Secret]:
        """All fields of an entry; raises MissingEntry where there is none."""
        session = self._open()
        call = session.read(name)
        try:
            fields = await session.worker.answer(call)
        except VaultError as why:
            error = why
        else:
            session.forget(name)
            return fields
        if not call.answer.done() and not session.open:
            self._give_up(session, error)
        elif not isinstance(error, VaultLocked | VaultDenied | Unresponsive):
            session.forget(name)
        # Outside of the clause above: an error of ours carries no other one.
        raise error.fresh()

    async def put(self, name: str, fields: Mapping[str, Secret]) -> None:
        """Store an entry, replacing an older one, and read it back. What is stored already is not rewritten.

        A caller that is cancelled does not stop a write that has begun.
        """
        if not fields:
            raise ValueError("an entry without fields")

        def work(session: _Session) -> None:
            session.items().save(name, {field: value.reveal() for field, value in fields.items()})

        await self._call(work, name)

    async def delete(self, name: str) -> None:
        """Remove an entry; raises MissingEntry where there is none."""
        await self._call(lambda session: session.items().erase(name), name)

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
        """Let the threads end; a later call starts others."""
        if self._session is not None:
            worker = self._session.worker
            worker.abandon()
            if worker.busy:
                self._stuck.append(worker)
            self._session = None

    async def _call(self, work: Callable[[_Session], T], name: str | None = None) -> T:
        """Do it; what was read of the entry that it changes is not believed any more."""
        session = self._open()
        if name is not None:
            session.forget(name)
        return await self._answered(session, session.submit(work))

    async def _answered(self, session: _Session, call: Call[T]) -> T:
        try:
            return await session.worker.answer(call)
        except Unresponsive as error:
            self._give_up(session, error)
            raise
        except asyncio.CancelledError:
            call.answer.cancel()
            raise

    def _give_up(self, session: _Session, error: VaultError) -> None:
        """Use these threads no more: the store gives no answers."""
        session.refusal = error.fresh()
        session.worker.abandon()

    def _open(self) -> _Session:
        """The session; raises the refusal that has ended it."""
        if self._session is None:
            self._stuck = [worker for worker in self._stuck if worker.busy]
            if len(self._stuck) >= _MOST_STUCK:
                raise too_many_stuck()
            self._session = _Session(self._limit, self._prefix, self._accept)
        if self._session.refusal is not None:
            raise self._session.refusal.fresh()
        return self._session
