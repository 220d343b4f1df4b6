"""The client without an event loop: ``requests``, and threads.

It stands alone as the life of a client that blocks: run here or in a thread of its own, stop from anywhere, and readers
of what happens. What it does is in :mod:`.face` and in the session.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, ClassVar, Self

from oadr_core import LocalError
from oadr_core.engine import Input, Output
from oadr_core.model import Event

from .drivers.on_threads import ThreadDriver
from .face import NOTES, ClientFace, event_in
from .notes import SyncFeed, SyncNotes
from .opting import SyncOptStatements
from .options import opened
from .ports import SyncCarrier
from .wishes import SyncReportWishes


class SyncOpenADRClient(ClientFace, SyncOptStatements, SyncReportWishes):
    __doc__ = ClientFace.__doc__

    _driver: ThreadDriver | None

    _libraries: ClassVar = ("requests.Session",)
    _stopping = False
    _in_block = False
    _thread: threading.Thread | None = None
    _error: BaseException | None = None

    def _checked_listen(self, push_listen: tuple[str, int] | None) -> None:
        if push_listen is not None:
            text = "the server needs an event loop, and this client has none: serve client.app yourself"
            raise LocalError(text, path="push_listen")

    # --- life -------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Register, and serve in this thread until :meth:`stop` is called, from a handler, a signal or another thread.

        A VTN that is away is waited for. May be called again afterwards. When the client runs in the background
        already, this waits until it has ended. ``KeyboardInterrupt`` ends it cleanly. Raises ``OSError`` when the state
        cannot be saved any more.
        """
        if self._thread is not None:
            self._join()
        else:
            self._stopping = False
            self._run()

    def start(self) -> None:
        """Run in the background, in a thread of its own, until :meth:`stop`."""
        if self._thread is not None or self._closed:
            raise LocalError("the client is running already")
        self._stopping, self._error = False, None
        begun = threading.Event()

        def run() -> None:
            try:
                self._run(begun)
            except BaseException as error:  # for whoever waits for the end
                self._error = error
            finally:
                begun.set()

        self._thread = threading.Thread(target=run, name="oadr-client", daemon=True)
        self._thread.start()
        begun.wait()

    def stop(self) -> None:
        """End :meth:`run`, from any thread; returns at once. Does nothing when it does not run.

        The registration stays: use :meth:`cancel_registration` to end that.
        """
        self._stopping = self._closed
        if (driver := self._driver) is not None:
            driver.stop()

    def __enter__(self) -> Self:
        """Handlers and reports may still be added; :meth:`run`, :meth:`start` or a loop over :meth:`events` begins."""
        self._in_block = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait for the end. Raises what has ended the client, unless the block has raised."""
        self._in_block = False
        self.stop()
        if error is None:
            self._join()
        elif self._thread is not None:
            self._thread.join()
            self._thread = None

    def _join(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self, begun: threading.Event | None = None) -> None:
        config = self._begin()
        try:
            with opened(self._state) as store, _entered(self._new_carrier()) as carrier:
                driver = ThreadDriver(self._pilot(config, store), carrier, self._hooks)
                self._begun(driver)
                if begun is not None:
                    begun.set()
                if self._stopping:
                    driver.stop()
                driver.run()
        finally:
            self._over()

    def _new_carrier(self) -> Any:
        """The carrier of this client, around what the caller has given."""
        given = self._carrier
        if given is not None and given.library is None:
            return given.object
        from .http_requests import RequestsCarrier

        if given is None:
            return RequestsCarrier(self._url, tls=self._tls)
        return RequestsCarrier(self._url, session=given.object, fingerprints=self._fingerprints)

    async def _call(self, something: Input) -> tuple[Output, ...]:
        import anyio.to_thread  # who serves the door has a loop

        return await anyio.to_thread.run_sync(self._call_here, something)

    def _call_here(self, something: Input) -> tuple[Output, ...]:
        self._running()
        assert self._driver is not None
        return self._driver.call(something)

    # --- readers ----------------------------------------------------------------------------------------------------

    def notifications(self, *, limit: int = NOTES) -> SyncNotes:
        """The typed face: everything that happens, as frozen objects, from now on.

        At most ``limit`` wait for a slow reader, who then loses the oldest.

        ::

            with client.notifications() as happenings:
                for happening in happenings:
                    match happening:
                        case EventReceived(event=event): ...
        """
        return SyncNotes(limit, self._readers)

    def events(self, *, limit: int = NOTES) -> SyncFeed[Event]:
        """The events as frozen objects: those that are known, then every new version, also a cancellation.

        ``for event in client.events()`` ends when the client does; within ``with client`` it starts it in the
        background. At most ``limit`` wait for a slow reader, who then loses the oldest.
        """
        feed = self._opened(SyncFeed(limit, self._readers, event_in))
        if self._in_block and not self._closed:
            self.start()
        return feed

    def _own_stream(self) -> SyncNotes:
        self._running()
        stream = SyncNotes(NOTES, self._readers)
        self._streams.add(stream)
        return stream


@contextmanager
def _entered(carrier: SyncCarrier) -> Iterator[SyncCarrier]:
    """The carrier, entered for as long as the block lasts if that is what it wants."""
    if isinstance(carrier, AbstractContextManager):
        with carrier:
            yield carrier
    else:
        yield carrier
