"""The poll: the one request by which everything that this VTN wants reaches a VEN that polls (section 5.5).

It stands alone because it decides the order, for pushed messages too: events first, then the mailbox, then nothing;
one message at a time.
"""

from __future__ import annotations

from ..engine import Trouble
from ..errors import shown
from ..model import EiResponse, Payload, Poll, RequestReregistration, Response
from . import replies
from .events import news
from .mailbox import collect, has_room, settle
from .offering import tell_offer, work
from .requests import follow_policy
from .state import Turn, VenState


def poll(turn: Turn, ven: VenState, payload: Poll) -> tuple[VenState, Payload]:
    """One message for the VEN, or oadrResponse when there is none (R500)."""
    ven, message = next_message(turn, ven)
    if message is not None:
        return ven, message
    return ven, Response(ei_response=EiResponse(response_description="OK"), ven_id=ven.ven_id)


def next_message(turn: Turn, ven: VenState) -> tuple[VenState, Payload | None]:
    """What a VEN shall get next, be it polled or pushed: events first, then the mailbox."""
    if ven.policy != turn.standing.number:
        ven = follow_policy(turn, ven)
    if ven.offered != turn.config.offer_number and has_room(ven, turn.config):
        ven = tell_offer(turn, ven)
    if ven.jobs:
        ven = work(turn, ven)
    ven, events = news(turn, ven)
    return (ven, events) if events is not None else collect(turn, ven)


def response(turn: Turn, ven: VenState, payload: Response) -> tuple[VenState, None]:
    """A posted oadrResponse is acknowledged with an empty body (PS figure 22).

    It answers the message whose requestID it repeats, else a request for re-registration, else, if it says
    that something is wrong, the oldest message that was fetched.
    """
    answer = payload.ei_response
    ven, settled = settle(ven, lambda mail: bool(answer.request_id) and replies.request_id(mail) == answer.request_id)
    if settled is None:
        ven, settled = settle(ven, lambda mail: isinstance(mail, RequestReregistration))
    if settled is None and not answer.ok:
        ven, settled = settle(ven, lambda _: True)
    if not answer.ok:
        about = settled.__element__.removeprefix("oadr:") if settled is not None else "something"
        text = f"{ven.ven_id} refuses {about}: {answer.response_code} {shown(answer.response_description or '')}"
        turn.tell(Trouble(text=text, code=answer.response_code, lost=settled))
    return ven, None
