"""The messages that wait for one VEN: handed out one per poll, in order, until the VEN's answer settles them.

It stands alone because handing out is not delivering: an answer is found by its type and its identifiers
(R41, R43), a message without an answer is handed out again, and after some tries it is given up, so that one
deaf VEN fills no memory.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..engine import Trouble
from ..errors import LocalError
from ..model import Payload
from .config import VtnConfig
from .state import Mail, Turn, VenState


def has_room(ven: VenState, config: VtnConfig) -> bool:
    """True when one more message may wait."""
    return len(ven.mailbox) < config.limits.mailbox


def post(ven: VenState, config: VtnConfig, payload: Payload, *, sent_at: float | None = None) -> VenState:
    """Put a message into the mailbox; ``sent_at`` when it is under way already.

    Raises :class:`~oadr_core.errors.LocalError` when the mailbox is full.
    """
    if not has_room(ven, config):
        text = f"{len(ven.mailbox)} messages wait for {ven.ven_id}, which is the limit"
        raise LocalError(text, path="limits/mailbox")
    mail = Mail(payload=payload, sent_at=sent_at, tries=0 if sent_at is None else 1)
    return attrs.evolve(ven, mailbox=(*ven.mailbox, mail))


def collect(turn: Turn, ven: VenState) -> tuple[VenState, Payload | None]:
    """The next message to hand out: the first that was not handed out, or not answered for too long."""
    mailbox = ven.mailbox
    for mail in ven.mailbox:
        if mail.sent_at is not None and not mail.due and turn.now.mono < turn.again_at(mail.sent_at):
            continue
        if mail.tries >= turn.config.tries:
            mailbox = tuple(other for other in mailbox if other is not mail)
            turn.tell(_given_up(ven, mail))
            continue
        out = attrs.evolve(mail, sent_at=turn.now.mono, tries=mail.tries + 1, due=False)
        mailbox = tuple(out if other is mail else other for other in mailbox)
        return attrs.evolve(ven, mailbox=mailbox), mail.payload
    return ven if mailbox is ven.mailbox else attrs.evolve(ven, mailbox=mailbox), None


def settle(ven: VenState, answers: Callable[[Payload], bool]) -> tuple[VenState, Payload | None]:
    """Take the first message that was handed out and that ``answers`` says was answered out of the
    mailbox.
    """
    for index, mail in enumerate(ven.mailbox):
        if mail.sent_at is not None and answers(mail.payload):
            return attrs.evolve(ven, mailbox=ven.mailbox[:index] + ven.mailbox[index + 1 :]), mail.payload
    return ven, None


def hand_out_again(ven: VenState, payload: Payload) -> VenState:
    """A message did not arrive: it is handed out again when its time has come."""
    mailbox = tuple(attrs.evolve(mail, due=True) if mail.payload is payload else mail for mail in ven.mailbox)
    return attrs.evolve(ven, mailbox=mailbox)


def discard(ven: VenState, *kinds: type[Payload]) -> VenState:
    """Take all messages of some kinds out of the mailbox."""
    return attrs.evolve(ven, mailbox=tuple(mail for mail in ven.mailbox if not isinstance(mail.payload, kinds)))


def waits(ven: VenState, kind: type[Payload]) -> bool:
    """True when a message of this kind is in the mailbox."""
    return any(isinstance(mail.payload, kind) for mail in ven.mailbox)


def _given_up(ven: VenState, mail: Mail) -> Trouble:
    name = mail.payload.__element__.removeprefix("oadr:")
    return Trouble(text=f"{ven.ven_id} did not answer {name} in {mail.tries} tries; given up", lost=mail.payload)
