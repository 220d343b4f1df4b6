"""What publishing, modifying and cancelling make of an event: the next entry of the book, or a refusal.

It stands alone because these are pure plans: nothing is in the book until the session puts it there.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from ..engine import Now, timeline
from ..engine.copying import evolve
from ..engine.uris import normal
from ..errors import LocalError, shown
from ..model import EiEvent, EventStatus, ResponseRequired
from .book import EventBook, EventEntry
from .checks import check, check_past, check_times, complete
from .config import LONGEST_ID, VtnConfig
from .messages import CancelEvent, ModifyEvent, PublishEvent, SetGroup


def published(
    command: PublishEvent, book: EventBook, config: VtnConfig, vens: Container[str], now: Now, event_id: str
) -> EventEntry:
    """A new entry; ``event_id`` is for an event that has none, ``vens`` are those that an event may be for.

    Raises :class:`~oadr_core.errors.LocalError`.
    """
    event = complete(command.event)
    descriptor = event.event_descriptor
    event_id = descriptor.event_id or event_id
    if descriptor.event_status is EventStatus.CANCELLED:
        raise LocalError("a new event cannot be cancelled", path="event_descriptor/event_status", rule="R10")
    if book.get(event_id) is not None:
        raise LocalError(f"{shown(event_id)} is taken (R70)", path="event_descriptor/event_id", rule="R70")
    if book.live >= config.limits.events:
        raise LocalError(f"{book.live} events are published, which is the limit", path="limits/events")
    # R4: a new event has the modification number 0
    event = _described(event, event_id=event_id, modification_number=0, modification_date_time=None)
    check(event)
    check_times(event, now.wall)
    ven_ids = _recipients(command.ven_ids, event, vens)
    times = timeline(event)
    return EventEntry(
        event=event,
        response_required=_required(command.response_required),
        ven_ids=ven_ids,
        number=book.published,
        timeline=times,
        status=times.status_at(now.wall),
    )


def recipients(command: PublishEvent, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...] | None:
    """The named VENs and those of the named groups; ``None``: neither is named.

    Raises :class:`~oadr_core.errors.LocalError` for a group that there is not.
    """
    if not command.groups:
        return command.ven_ids
    found = list(command.ven_ids or ())
    for name in command.groups:
        if name not in groups:
            known = ", ".join(groups) or "none"
            raise LocalError(f"there is no group {shown(name)}; there are {known}", path="groups")
        found += groups[name]
    return tuple(dict.fromkeys(found))


def group(
    command: SetGroup, groups: Mapping[str, tuple[str, ...]], config: VtnConfig, vens: Container[str]
) -> tuple[str, ...]:
    """The members that a group shall have. Raises :class:`~oadr_core.errors.LocalError`."""
    if not command.group or len(command.group) > LONGEST_ID:
        raise LocalError(f"a name of 1 to {LONGEST_ID} characters is expected", path="group")
    for ven_id in command.ven_ids:
        if ven_id not in vens:
            raise LocalError(f"{shown(ven_id)} is no VEN of this VTN", path="ven_ids")
    if command.ven_ids and command.group not in groups and len(groups) >= config.limits.groups:
        raise LocalError(f"there are {len(groups)} groups, which is the limit", path="limits/groups")
    return tuple(dict.fromkeys(command.ven_ids))


def overlapping(entry: EventEntry, book: EventBook, now: Now) -> tuple[str, ...]:
    """The events that overlap this one for the same VENs in the same program (R18), but for those that are over."""
    if entry.cancelled:
        return ()
    context = normal(entry.event.event_descriptor.market_context)
    others: dict[str, EventEntry] = {}
    for ven_id in entry.ven_ids or (None,):
        for other in book.entries.values() if ven_id is None else book.of(ven_id):
            others[other.event_id] = other
    return tuple(
        other.event_id
        for other in others.values()
        if other.event_id != entry.event_id
        and not other.cancelled
        and not other.is_gone(now.wall)
        and normal(other.event.event_descriptor.market_context) == context
        and _begins_before_end(entry, other)
        and _begins_before_end(other, entry)
    )


def _begins_before_end(one: EventEntry, other: EventEntry) -> bool:
    """R18: the end is exclusive, and later by startafter."""
    return other.timeline.gone is None or one.timeline.start < other.timeline.gone


def modified(command: ModifyEvent, book: EventBook, now: Now) -> EventEntry | None:
    """The entry with its new content, or ``None`` when nothing has changed.

    R5: the modification number grows with every change of the event but that of status, current values and
    creation time; whether an answer is wanted is not part of the event.

    Raises :class:`~oadr_core.errors.LocalError`.
    """
    old = _changeable(command.event.event_descriptor.event_id, book, now)
    required = _required(command.response_required or old.response_required)
    event = complete(command.event)
    if (targeted := event.ei_target.ven_id) and set(targeted) != set(old.ven_ids or ()):
        text = f"the event is not published for {', '.join(targeted)} alone; publish another one"
        raise LocalError(text, path="ei_target/ven_id", rule="R63")
    event = _described(
        event,
        modification_number=old.modification_number,
        modification_date_time=old.event.event_descriptor.modification_date_time,
        event_status=old.event.event_descriptor.event_status,
        created_date_time=old.event.event_descriptor.created_date_time,
    )
    if _substance(event) == _substance(old.event):
        return None if required is old.response_required else evolve(old, response_required=required)
    check(event)
    check_past(old.event, event, now.wall)
    check_times(event, now.wall)
    event = _described(event, modification_number=old.modification_number + 1, modification_date_time=now.seconds)
    times = timeline(event)
    return evolve(old, event=event, response_required=required, timeline=times, status=times.status_at(now.wall))


def cancelled(command: CancelEvent, book: EventBook, now: Now) -> EventEntry | None:
    """The entry as a cancelled one (R10), or ``None`` when it is that already.

    Raises :class:`~oadr_core.errors.LocalError`.
    """
    known = book.get(command.event_id)
    if known is not None and known.cancelled:
        return None
    old = _changeable(command.event_id, book, now)
    event = _described(
        old.event,
        modification_number=old.modification_number + 1,
        modification_date_time=now.seconds,
        modification_reason=command.reason or old.event.event_descriptor.modification_reason,
        event_status=EventStatus.CANCELLED,
    )
    return evolve(old, event=event, cancelled_at=now.wall, status=EventStatus.CANCELLED)


def _changeable(event_id: str, book: EventBook, now: Now) -> EventEntry:
    entry = book.get(event_id)
    if entry is None:
        raise LocalError(f"{shown(event_id)} is not published", path="event_id")
    if entry.cancelled:
        raise LocalError(f"{shown(event_id)} is cancelled", path="event_id", rule="R20")
    if entry.is_over(now.wall):
        raise LocalError(f"{shown(event_id)} is completed (R20)", path="event_id", rule="R20")
    return entry


def _recipients(ven_ids: tuple[str, ...] | None, event: EiEvent, vens: Container[str]) -> tuple[str, ...] | None:
    targeted = event.ei_target.ven_id
    if ven_ids is None:
        ven_ids = targeted or None
    elif targeted and set(targeted) != set(ven_ids):
        text = f"the event is targeted at {', '.join(targeted)}, and published for {', '.join(ven_ids)}"
        raise LocalError(text, path="ei_target/ven_id", rule="R63")
    if ven_ids is None:
        return None
    if not ven_ids:
        raise LocalError("at least one venID is expected, or None for all VENs", path="ven_ids")
    for ven_id in ven_ids:
        if ven_id not in vens:
            raise LocalError(f"{shown(ven_id)} is no VEN of this VTN", path="ven_ids")
    return tuple(dict.fromkeys(ven_ids))


def _required(value: ResponseRequired | str) -> ResponseRequired:
    try:
        return ResponseRequired(value)
    except ValueError:
        raise LocalError(
            f"always or never is expected, not {shown(value)}", path="response_required", rule="R12"
        ) from None


def _described(event: EiEvent, **changes: object) -> EiEvent:
    return evolve(event, event_descriptor=evolve(event.event_descriptor, **changes))


def _substance(event: EiEvent) -> tuple[object, ...]:
    """What counts as content (R5)."""
    signals = event.ei_event_signals
    return (
        event.event_descriptor,
        event.ei_active_period,
        tuple(evolve(signal, current_value=None) for signal in signals.ei_event_signal),
        signals.ei_event_baseline,
        event.ei_target,
    )
