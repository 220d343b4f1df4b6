"""What passes between a session and its carrier: requests, replies, failures.

It stands alone because both roles and every transport speak in these terms. An *exchange* is a request of the
carrier and its reply, and has a number; which payload answers which (the *conversation*) is the sessions' own
business, and never goes by ``requestID`` (R41, R43).
"""

from __future__ import annotations

import attrs

from ..model import Payload, ServiceName
from .retry import Failure


@attrs.frozen(kw_only=True)
class Input:
    """Something that happened, or something that the application wants."""


@attrs.frozen(kw_only=True)
class Output:
    """Something to do, or something to know."""


@attrs.frozen(kw_only=True)
class Notification(Output):
    """Something to know."""


@attrs.frozen(kw_only=True)
class Tick(Input):
    """Time has passed: a timer is due, or might be."""


@attrs.frozen(kw_only=True)
class ReplyArrived(Input):
    """The carrier has the reply to an exchange.

    ``data`` is the unauthenticated body, perhaps empty; ``status`` is HTTP's, or 200 where there is none. A caller
    that has no bytes, for instance a simulator, gives ``payload`` instead of ``data``.
    """

    exchange: int
    data: bytes = b""
    status: int = 200
    retry_after_s: float | None = None
    payload: Payload | None = None


@attrs.frozen(kw_only=True)
class ExchangeFailed(Input):
    """The carrier could not deliver a request, or got no reply. ``detail`` names the cause for people."""

    exchange: int
    failure: Failure = Failure.UNREACHABLE
    detail: str = ""


@attrs.frozen(kw_only=True)
class RequestArrived(Input):
    """The carrier has a request from a peer.

    ``service`` is the end of the URL (or the JID's resource), ``data`` the unauthenticated body. ``fingerprint`` is
    that of the peer's TLS certificate, if there is one. A simulator gives ``payload`` instead of ``data``.
    """

    exchange: int
    service: str
    data: bytes = b""
    payload: Payload | None = None
    fingerprint: str | None = None


@attrs.frozen(kw_only=True)
class SendRequest(Output):
    """Send ``data`` to a service of the peer, and come back with ReplyArrived or ExchangeFailed.

    After ``timeout_s`` seconds the session gives the exchange up by itself. ``data`` is empty in a session without
    bytes. ``url`` is where the service stands, for a peer that has named its address (push); empty where the carrier
    knows its only peer. ``fingerprint`` is that of the certificate which the peer must show, if it is known.
    """

    exchange: int
    service: ServiceName
    payload: Payload
    data: bytes = b""
    timeout_s: float
    url: str = ""
    fingerprint: str | None = None


@attrs.frozen(kw_only=True)
class AbandonExchange(Output):
    """Nobody waits for the reply to this exchange any more."""

    exchange: int


@attrs.frozen(kw_only=True)
class SendReply(Output):
    """Answer a request that arrived: ``status`` for HTTP, ``payload`` (``None``: an empty body) and its bytes.

    ``detail`` is for the log and, where there is no payload, for the body of an error.
    """

    exchange: int
    status: int = 200
    payload: Payload | None = None
    data: bytes = b""
    detail: str = ""


@attrs.frozen(kw_only=True)
class Trouble(Notification):
    """Something went wrong and the session goes on. ``text`` is one line for people.

    ``retry_s``: in so many seconds it tries again. ``lost``: the message was given up.
    """

    text: str
    failure: Failure | None = None
    code: str = ""
    retry_s: float | None = None
    lost: Payload | None = None
