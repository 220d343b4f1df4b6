"""Bytes to messages and back: the door of the wire layer.

It stands alone because it decides what surrounds a message: the envelope with its signature, the tolerance for documents
without it, the declarations of namespaces, and which of the two halves of the codec is asked.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

import attrs

from ..errors import LocalError, SchemaViolation, UnknownMessage, WrongProfile
from ..model import MESSAGES, NAMESPACES, OADR_20A, Payload
from ..model.namespaces import expand
from . import opaque
from ._compile import Mismatch, attribute_writer, decoder, encoder
from .examine import Deviation, Examiner, faults, split
from .parse import DEFAULT_LIMITS, Limits, check_shape, parse

_PAYLOAD: Final = expand("oadr:oadrPayload")
_SIGNED_OBJECT: Final = expand("oadr:oadrSignedObject")
_SIGNATURE: Final = expand("ds:Signature")
_SCHEMA_VERSION: Final = expand("ei:schemaVersion")
_ID: Final = expand("oadr:Id")
_CLASSES: Final[dict[str, type[Payload]]] = {expand(name): cls for name, cls in MESSAGES.items()}
_SURPRISES: Final = (Mismatch, ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError)
"""What compiled code raises when it meets what it was not made for; examine says what it was."""


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
    root = parse(data, limits)
    payload = None if strict else _decode_fast(root)
    if payload is not None:
        return payload
    check_shape(root, limits)
    examiner = Examiner(root, data, strict=strict)
    message, signed, object_id = _unwrap(root, examiner, limits)
    cls = _CLASSES[message.tag]
    examiner.message(message, cls)
    version = message.get(_SCHEMA_VERSION)
    if version != "2.0b":
        text = "schemaVersion is missing" if version is None else f"schemaVersion is {version}, not 2.0b"
        examiner.note("R509", split(message.tag)[1], text, message)
    try:
        decoded = decoder(cls)(message)
    except _SURPRISES as error:  # pragma: no cover  # examine has seen everything that the decoder refuses
        raise SchemaViolation(f"not as the schema says: {error}", path=split(message.tag)[1], rule="schema") from None
    return Envelope(payload=decoded, deviations=tuple(examiner.deviations), signed=signed, object_id=object_id)


def encode(payload: Payload) -> bytes:
    """Write a message: UTF-8, canonical (C14N 1.0 of the result is the result), valid against the schema.

    Raises :class:`~oadr_core.errors.LocalError`, which names the field, when ``payload`` cannot be written.
    """
    try:
        return _document(payload, body(payload))
    except _SURPRISES as error:
        raise _explain(payload, error) from None


def body(payload: Payload) -> str:
    """The element of the message, without envelope and declarations of namespaces."""
    cls = type(payload)
    attributes = attribute_writer(cls)
    return f"<{cls.__element__}{attributes(payload) if attributes else ''}>{encoder(cls)(payload)}</{cls.__element__}>"


def _document(payload: Payload, text: str) -> bytes:
    declarations = "".join(
        f' xmlns:{prefix}="{uri}"'
        for prefix, uri in NAMESPACES.items()
        if prefix == "oadr" or f"<{prefix}:" in text or f" {prefix}:" in text[:80]
    )
    document = (
        f"<oadr:oadrPayload{declarations}><oadr:oadrSignedObject>{text}</oadr:oadrSignedObject></oadr:oadrPayload>"
    ).encode()
    return opaque.canonical(document) if "xmlns" in text else document


def _explain(payload: Any, error: Exception) -> LocalError:
    if type(payload) not in MESSAGES.values():
        return LocalError(f"one of the 23 messages is expected, not {type(payload).__name__}")
    name = type(payload).__name__
    for path, text in faults(payload, type(payload), name):
        return LocalError(text, path=path)
    return LocalError(f"cannot be written: {error}", path=name)


def _decode_fast(root: Element) -> Envelope | None:
    """The message of a document that follows the schema exactly; ``None`` for every other."""
    if root.tag != _PAYLOAD or len(root) != 1:
        return None
    signed_object = root[0]
    if signed_object.tag != _SIGNED_OBJECT or len(signed_object) != 1:
        return None
    message = signed_object[0]
    cls = _CLASSES.get(message.tag)
    if cls is None:
        return None
    unusual = [
        element
        for element in root.iter()
        if element.keys()
        or ((tail := element.tail) is not None and not tail.isspace())
        or ((text := element.text) is not None and len(element) and not text.isspace())
    ]
    expected = [signed_object, message] if signed_object.keys() else [message]
    if unusual != expected or message.keys() != [_SCHEMA_VERSION]:
        return None
    if signed_object.keys() not in ([], [_ID]):
        return None
    try:
        payload = decoder(cls)(message)
    except _SURPRISES:
        return None
    if payload.schema_version != "2.0b":
        return None
    return Envelope(payload=payload, object_id=signed_object.get(_ID))


def _unwrap(root: Element, examiner: Examiner, limits: Limits) -> tuple[Element, bool, str | None]:
    """Find the message in its envelope; tolerate that there is none, or that it is in the wrong order."""
    namespace, local = split(root.tag)
    if namespace == OADR_20A:
        raise WrongProfile(f"{local} is a message of OpenADR 2.0a", path=local, line=1, rule="R506")
    if root.tag != _PAYLOAD:
        if root.tag not in _CLASSES:
            raise UnknownMessage(
                f"{local} in the namespace {namespace or 'none'} is not an OpenADR 2.0b message", path=local, line=1
            )
        examiner.note("PS 10.6", local, "the message stands bare, without oadrPayload", root)
        return root, False, None
    for child in root:
        if child.tag not in (_SIGNATURE, _SIGNED_OBJECT):
            raise examiner.refuse(f"oadrPayload/{split(child.tag)[1]}", "the element is not expected here", child)
    objects = root.findall(_SIGNED_OBJECT)
    signatures = root.findall(_SIGNATURE)
    if len(objects) != 1 or len(signatures) > 1:
        raise examiner.refuse("oadrPayload", "exactly one oadrSignedObject and at most one Signature are allowed", root)
    if signatures and root[0] is not signatures[0]:
        examiner.note("schema", "oadrPayload/Signature", "the signature stands behind the object", signatures[0])
    signed_object = objects[0]
    examiner.envelope(root, signed_object)
    if len(signed_object) != 1:
        text = f"exactly one message is expected, not {len(signed_object)}"
        raise examiner.refuse("oadrPayload/oadrSignedObject", text, signed_object)
    message = signed_object[0]
    if message.tag not in _CLASSES:
        namespace, local = split(message.tag)
        raise UnknownMessage(f"{local} in the namespace {namespace or 'none'} is not a message", path=local)
    return message, bool(signatures), signed_object.get(_ID)
