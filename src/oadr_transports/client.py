"""The client for asyncio and trio, with the face that the OpenLEADR client documentation shows.

It stands alone as the life of a client that awaits: run, stop, a block that runs it in the background, and readers of
what happens. What it does is in :mod:`.face` and in the session.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from oadr_core.engine import Input, Output
from oadr_core.model import Event

from . import notes
from .face import NOTES, ClientFace, Driver, event_in
from .hooks import Hooks
from .notes import AsyncFeed, Notes
from .opting import OptStatements
from .options import opened
from .ports import Carrier
from .wishes import ReportWishes

if TYPE_CHECKING:
    from .drivers.pilot import Pilot


class AsyncDriver(Driver, Protocol):
    """What a client that awaits needs of a driver."""

    async def call(self, something: Input) -> tuple[Output, ...]:
        """Hand an input in, and wait until what comes of it is saved and carried out."""
        raise NotImplementedError

    async def run(self) -> None:
        """Pump until stopped or cancelled."""


class Tasks(Protocol):
    """A task group of anyio, or a nursery of trio."""

    @property
    def cancel_scope(self) -> Any:
        """What ends them."""

    def start_soon(self, function: Any, /) -> Any:
        """Start a task."""


class AsyncClient(ClientFace, OptStatements, ReportWishes):
    """What the clients that await have alike."""

    _driver: AsyncDriver | None

    _libraries: ClassVar = ("httpx2.AsyncClient", "aiohttp.ClientSession")
    _ended: notes.Event | None = None
    _stopping = False
    _block: AbstractAsyncContextManager[Tasks] | None = None
    _tasks: Tasks | None = None

    # --- the loop ---------------------------------------------------------------------------------------------------

    @abstractmethod
    def _new_event(self) -> notes.Event:
        """An event of this client's loop."""

    @abstractmethod
    def _new_tasks(self) -> AbstractAsyncContextManager[Tasks]:
        """Tasks that end with a block."""

    @abstractmethod
    def _new_driver(self, pilot: Pilot, carrier: Carrier, hooks: Hooks) -> AsyncDriver:
        """A driver for the running loop."""

    # --- life -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Register, and serve until :meth:`stop` is called or the task is cancelled.

        A VTN that is away is waited for. May be called again afterwards. Within ``async with client`` it waits until
        the client, which runs already, has ended. Raises ``OSError`` (in a group of exceptions) when the state cannot
        be saved any more.
        """
        if self._tasks is None:
            await self._run()
        elif self._ended is not None:
            await self._ended.wait()

    async def stop(self) -> None:
        """End :meth:`run` and wait until it has ended. Does nothing when it does not run.

        The registration stays: use :meth:`cancel_registration` to end that.
        """
        if self._closed and self._ended is not None:
            self._stopping = True
            if self._driver is not None:
                self._driver.stop()
            await self._ended.wait()

    async def __aenter__(self) -> Self:
        """Run in the background, from the first ``await`` in the block on."""
        self._block = self._new_tasks()
        self._tasks = await self._block.__aenter__()
        self._ended = self._new_event()
        self._tasks.start_soon(self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop. What the block has raised comes out as it is; what ended the client, in a group of exceptions."""
        assert self._block is not None
        assert self._tasks is not None
        block, tasks, self._block, self._tasks = self._block, self._tasks, None, None
        tasks.cancel_scope.cancel()
        if isinstance(error, Exception):
            await block.__aexit__(None, None, None)
        else:  # perhaps the block was cancelled because the client has failed
            await block.__aexit__(kind, error, trace)

    async def _run(self) -> None:
        config = self._begin()
        if self._tasks is None or self._ended is None:
            self._ended = self._new_event()
        try:
            with opened(self._state) as store:
                async with (
                    self._endpoint.listening(self._listen, self._server_tls()) as port,
                    entered(self._new_carrier()) as carrier,
                ):
                    driver = self._new_driver(self._pilot(config, store, port), carrier, self._hooks)
                    self._begun(driver)
                    if self._stopping:
                        driver.stop()
                    await driver.run()
        finally:
            self._over()
            self._stopping = False
            self._ended.set()

    def _new_carrier(self) -> Any:
        """The carrier of this client, around what the caller has given."""
        given = self._carrier
        if given is None or given.library == "httpx2.AsyncClient":
            from .http import HttpCarrier

            if given is None:
                return HttpCarrier(self._url, tls=self._tls)
            return HttpCarrier(self._url, client=given.object, fingerprints=self._fingerprints)
        if given.library == "aiohttp.ClientSession":
            from .http_aiohttp import AiohttpCarrier

            return AiohttpCarrier(self._url, session=given.object, tls=self._tls if self._fingerprints else None)
        return given.object

    async def _call(self, something: Input) -> tuple[Output, ...]:
        self._running()
        assert self._driver is not None
        return await self._driver.call(something)

    # --- readers ----------------------------------------------------------------------------------------------------

    def notifications(self, *, limit: int = NOTES) -> Notes:
        """The typed face: everything that happens, as frozen objects, from now on.

        At most ``limit`` wait for a slow reader, who then loses the oldest.

        ::

            async with client.notifications() as happenings:
                async for happening in happenings:
                    match happening:
                        case EventReceived(event=event): ...
        """
        return Notes(limit, self._readers, event=self._new_event)

    def events(self, *, limit: int = NOTES) -> AsyncFeed[Event]:
        """The events as frozen objects: those that are known, then every new version, also a cancellation.

        ``async for event in client.events()`` ends when the client does. At most ``limit`` wait for a slow reader, who
        then loses the oldest.
        """
        return self._opened(AsyncFeed(limit, self._readers, event_in, event=self._new_event))


class OpenADRClient(AsyncClient):
    __doc__ = ClientFace.__doc__

    def _new_event(self) -> notes.Event:
        import anyio

        return anyio.Event()

    def _new_tasks(self) -> AbstractAsyncContextManager[Tasks]:
        import anyio

        return anyio.create_task_group()

    def _new_driver(self, pilot: Pilot, carrier: Carrier, hooks: Hooks) -> AsyncDriver:
        from .drivers.on_anyio import AnyioDriver

        return AnyioDriver(pilot, carrier, hooks)


@asynccontextmanager
async def entered(carrier: Carrier) -> AsyncIterator[Carrier]:
    """The carrier, entered for as long as the block lasts if that is what it wants."""
    if isinstance(carrier, AbstractAsyncContextManager):
        async with carrier:
            yield carrier
    else:
        yield carrier
