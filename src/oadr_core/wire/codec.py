"""Bytes to messages and back: the door of the wire layer.

It stands alone because it decides what surrounds a message: the envelope with its signature, the tolerance for
documents without it, the declarations of namespaces, and which of the two halves of the codec is asked.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from xml.etree.ElementTree import Element

import attrs

from ..errors import LocalError, RemoteError, SchemaViolation, UnknownMessage, WrongProfile, shown
from ..model import MESSAGES, OADR_20A, Payload, Poll
from ..model.namespaces import expand
from . import opaque
from ._compile import Mismatch
from ._decoders import decoder
from ._encoders import attribute_writer, declarations, encoder
from .certify import departures
from .convert import BLANK, read_identifier
from .examine import Deviation, Examiner, split
from .explain import double_identifiers, faults
from .lines import line_numbers
from .parse import DEFAULT_LIMITS, Limits, check_shape, is_small, screen, tree
from .polls import PROBE, split_poll
from .runs import restore, shorten
from .signature import signature_faults
from .writing import Runs, insert

_PAYLOAD: Final = expand("oadr:oadrPayload")
_SIGNED_OBJECT: Final = expand("oadr:oadrSignedObject")
_SIGNATURE: Final = expand("ds:Signature")
_SCHEMA_VERSION: Final = expand("ei:schemaVersion")
_ID: Final = expand("oadr:Id")
_CLASSES: Final[dict[str, type[Payload]]] = {expand(name): cls for name, cls in MESSAGES.items()}
_LONG: Final = 2000
"""Bytes from which on a document may have intervals enough to be shortened."""
_SURPRISES: Final = (Mismatch, ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError)
"""What compiled code raises when it meets what it was not made for; examine and explain say what it was."""


@attrs.frozen(kw_only=True)
class Envelope:
    """A message as it arrived.

    ``payload`` is the message, ``deviations`` what a tolerant reader let pass, ``signed`` whether there was a signature
    (which :func:`decode` does not verify), ``object_id`` the Id of the signed object.
    """

    payload: Payload
    deviations: tuple[Deviation, ...] = ()
    signed: bool = False
    object_id: str | None = None


def decode(data: bytes, *, strict: bool = False, limits: Limits = DEFAULT_LIMITS) -> Envelope:
    """Read a message from unauthenticated bytes. Signatures are not verified here.

    By default the reader accepts what section 9.3 of the reference recommends to tolerate, and lists it in
    ``deviations``; with ``strict`` it refuses it. ``limits`` bounds size and shape.

    Raises :class:`~oadr_core.errors.RemoteError` and nothing else.
    """
    if not strict and limits is DEFAULT_LIMITS and (poll := split_poll(data)) is not None:
        before, ven_id, behind = poll
        if (known := _poll(before, behind)) is not None:
            return Envelope(payload=Poll(ven_id=ven_id), object_id=known.object_id)
    return _decode(data, strict, limits)


@lru_cache(maxsize=128)
def _poll(before: bytes, behind: bytes) -> Envelope | None:
    """What surrounds an ordinary poll, if these bytes are around its venID."""
    try:
        envelope = _decode(before + PROBE + behind, False, DEFAULT_LIMITS)
    except RemoteError:
        return None
    ordinary = not envelope.signed and not envelope.deviations and envelope.payload == Poll(ven_id=PROBE.decode())
    return envelope if ordinary else None


def _decode(data: bytes, strict: bool, limits: Limits) -> Envelope:
    body = screen(data, limits)
    if not strict and (envelope := _decode_runs(body, limits)) is not None:
        return envelope
    root = tree(body, limits)
    if not strict and (envelope := _decode_fast(root)) is not None:
        return _with_notes(envelope, root, data)
    check_shape(root, limits)
    examiner = Examiner(root, data, limits, strict=strict)
    message, signed, object_id = _unwrap(root, examiner)
    cls: type = _CLASSES[message.tag]
    examiner.message(message, cls)
    version = message.get(_SCHEMA_VERSION)
    if version != "2.0b":
        text = "schemaVersion is missing" if version is None else f"schemaVersion is {shown(version)}, not 2.0b"
        examiner.note("R509", split(message.tag)[1], text, message)
    try:
        decoded = decoder(cls)(message)
    except _SURPRISES as error:  # pragma: no cover  # examine has seen everything that the decoder refuses
        raise SchemaViolation(f"not as the schema says: {error}", path=split(message.tag)[1], rule="schema") from None
    _certify(decoded, message, examiner, strict=strict)
    return Envelope(payload=decoded, deviations=tuple(examiner.deviations), signed=signed, object_id=object_id)


def _certify(payload: Payload, message: Element, examiner: Examiner, *, strict: bool) -> None:
    """Hold the rules of :mod:`.certify` against a message that has been examined."""
    name = split(message.tag)[1]
    for found in departures(payload, strict=strict):
        element = _find(message, found.path)
        examiner.note(found.rule, f"{name}/{found.path}", found.text, element, tolerable=found.tolerable)


def _with_notes(envelope: Envelope, root: Element, data: bytes) -> Envelope:
    """The same for events that follow the schema, at the cost of only what is noted."""
    noted = list(departures(envelope.payload, strict=False))
    if not noted:
        return envelope
    message = root[-1][0]
    elements = [_find(message, found.path) for found in noted]
    places = [next(place for place, other in enumerate(root.iter()) if other is element) for element in elements]
    lines, name = line_numbers(data, max(places) + 1), split(message.tag)[1]
    deviations = tuple(
        Deviation(rule=found.rule, path=f"{name}/{found.path}", text=found.text, line=lines[place])
        for found, place in zip(noted, places, strict=True)
    )
    return Envelope(
        payload=envelope.payload, deviations=deviations, signed=envelope.signed, object_id=envelope.object_id
    )


def _find(element: Element, path: str) -> Element:
    """The element at a path of local names with numbers from 1, or the last one on the way to it that is there."""
    for step in path.split("/") if path else ():
        local, _, number = step.removesuffix("]").partition("[")
        found = [child for child in element if split(child.tag)[1] == local]
        if len(found) < int(number or 1):
            break
        element = found[int(number or 1) - 1]
    return element


def encode(payload: Payload) -> bytes:
    """Write a message: UTF-8, canonical (C14N 1.0 of the result is the result), valid against the schema.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field, when ``payload`` cannot be written.
    """
    runs: Runs = []
    try:
        text = _body(payload, runs)
        if " gml:id=" in text:
            for path, reason in double_identifiers(payload, type(payload), type(payload).__name__):
                raise LocalError(reason, path=path)
        return _document(type(payload), text, runs)
    except LocalError:
        raise
    except _SURPRISES as error:
        raise _explain(payload, error) from None


def _body(payload: Payload, runs: Runs) -> str:
    """The element of the message, without envelope and declarations of namespaces.

    Raises what compiled code raises when it stumbles; :func:`encode` turns that into a ``LocalError``.
    """
    cls: type = type(payload)
    name, attributes = payload.__element__, attribute_writer(cls)
    return f"<{name}{attributes(payload) if attributes else ''}>{encoder(cls)(payload, runs)}</{name}>"


def _document(cls: type, text: str, runs: Runs) -> bytes:
    document = insert(
        f"<oadr:oadrPayload{declarations(cls)}><oadr:oadrSignedObject>{text}"
        "</oadr:oadrSignedObject></oadr:oadrPayload>",
        runs,
    )
    return opaque.canonical(document) if "xmlns" in text else document


def _explain(payload: Any, error: Exception) -> LocalError:
    if type(payload) not in MESSAGES.values():
        return LocalError(f"one of the 23 messages is expected, not {type(payload).__name__}")
    name = type(payload).__name__
    for path, text in faults(payload, type(payload), name):
        return LocalError(text, path=path)
    return LocalError(f"cannot be written: {error}", path=name)


def _decode_runs(body: bytes, limits: Limits) -> Envelope | None:
    """The message of a long document that follows the schema exactly, and of which nothing is to be noted."""
    if len(body) <= _LONG or not is_small(body, limits) or (short := shorten(body)) is None:
        return None
    try:
        root = tree(short[0], limits)
    except RemoteError:
        return None  # the whole document shows what is wrong, and where
    if not restore(root, short[1]) or (envelope := _decode_fast(root)) is None:
        return None
    return None if any(departures(envelope.payload, strict=False)) else envelope


def _decode_fast(root: Element) -> Envelope | None:
    """The message of a document that follows the schema exactly; ``None`` for every other."""
    if root.tag != _PAYLOAD or not 1 <= len(root) <= 2 or root.keys() or _has_text(root):
        return None
    signed_object, signed = root[-1], len(root) == 2
    identifiers: set[str] | None = None
    if signed:
        identifiers = set()
        if root[0].tag != _SIGNATURE or _has_tail(root[0]) or any(signature_faults(root[0], identifiers)):
            return None
    if (
        signed_object.tag != _SIGNED_OBJECT
        or len(signed_object) != 1
        or _has_text(signed_object)
        or _has_tail(signed_object)
    ):
        return None
    message = signed_object[0]
    cls: type | None = _CLASSES.get(message.tag)
    if cls is None or message.keys() != [_SCHEMA_VERSION] or _has_text(message) or _has_tail(message):
        return None
    # Attributes, text behind elements, text beside elements: nowhere but on the two elements above.
    unusual = [e for e in signed_object.iter() if e.tail or e.keys() or (len(e) and e.text)]
    if len(unusual) > 1:
        unusual = [e for e in unusual if e.keys() or _has_tail(e) or (len(e) and _has_text(e))]
    keys = signed_object.keys()
    if keys not in ([], [_ID]) or unusual != ([signed_object, message] if keys else [message]):
        return None
    try:
        payload = decoder(cls)(message)
        object_id = read_identifier(signed_object.attrib[_ID]) if keys else None
    except _SURPRISES:
        return None
    if payload.schema_version != "2.0b" or (identifiers and object_id in identifiers):
        return None
    return Envelope(payload=payload, signed=signed, object_id=object_id)


def _has_text(element: Element) -> bool:
    text = element.text
    return text is not None and text.strip(BLANK) != ""


def _has_tail(element: Element) -> bool:
    text = element.tail
    return text is not None and text.strip(BLANK) != ""


def _unwrap(root: Element, examiner: Examiner) -> tuple[Element, bool, str | None]:
    """Find the message in its envelope; tolerate that there is none, or that it is in the wrong order."""
    namespace, local = split(root.tag)
    if namespace == OADR_20A:
        raise WrongProfile(f"{local} is a message of OpenADR 2.0a", path=local, line=1, rule="R506")
    if root.tag in _CLASSES:
        examiner.note("PS 10.6", local, "the message stands bare, without oadrPayload", root)
        return root, False, None
    signed_object, signature = root, None
    if root.tag == _PAYLOAD:
        signed_object, signature = _parts(root, examiner)
    elif root.tag == _SIGNED_OBJECT:
        examiner.note("PS 10.6", local, "the signed object stands bare, without oadrPayload", root)
    else:
        text = f"{local} in the namespace {shown(namespace)} is not an OpenADR 2.0b message"
        raise UnknownMessage(text, path=local, line=examiner.line(root))
    examiner.envelope(root, signed_object, signature)
    if len(signed_object) != 1:
        text = f"exactly one message is expected, not {len(signed_object)}"
        raise examiner.refuse("oadrPayload/oadrSignedObject", text, signed_object)
    message = signed_object[0]
    if message.tag not in _CLASSES:
        namespace, local = split(message.tag)
        text = f"{local} in the namespace {shown(namespace)} is not an OpenADR 2.0b message"
        if namespace == OADR_20A:
            raise WrongProfile(f"{local} is a message of OpenADR 2.0a", path=local, rule="R506")
        raise UnknownMessage(text, path=f"oadrPayload/oadrSignedObject/{local}", line=examiner.line(message))
    return message, signature is not None, signed_object.get(_ID)


def _parts(root: Element, examiner: Examiner) -> tuple[Element, Element | None]:
    """The signed object and the signature of an envelope."""
    for child in root:
        if child.tag not in (_SIGNATURE, _SIGNED_OBJECT):
            raise examiner.refuse(f"oadrPayload/{split(child.tag)[1]}", "the element is not expected here", child)
    objects, signatures = root.findall(_SIGNED_OBJECT), root.findall(_SIGNATURE)
    if len(objects) != 1 or len(signatures) > 1:
        raise examiner.refuse("oadrPayload", "exactly one oadrSignedObject and at most one Signature are allowed", root)
    if not signatures:
        return objects[0], None
    if root[0] is not signatures[0]:
        examiner.note("schema", "oadrPayload/Signature", "the signature stands behind the object", signatures[0])
    return objects[0], signatures[0]
