"""The parts of a signed document, found by position: what stands elsewhere is refused, not searched for.

It stands alone because this is where forgeries by rearrangement end. Nothing here believes anything; it only says
which element would be the signed object, which the property, and what is claimed of them (profile section 10.6,
figure 23).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Final

import attrs
from lxml import etree

from ..errors import shown
from .canonical import Node
from .errors import (
    AlgorithmForbidden,
    CertificateUnreadable,
    DuplicateId,
    ReplayProtectMissing,
    SecondReplayProtect,
    SecondSignature,
    SignatureMalformed,
    TransformForbidden,
    WrongReference,
)
from .names import C14N, C14N_WITH_COMMENTS, DS, DSP, ENVELOPED, OADR, SHA256, XML, Method, Style

REPLAY_PROTECT: Final = f"{{{DSP}}}ReplayProtect"
TIMESTAMP: Final = f"{{{DSP}}}timestamp"
NONCE: Final = f"{{{DSP}}}nonce"
LONGEST_CHAIN: Final = 6
"""Certificates in one signature: a leaf, and more intermediates than any hierarchy of the profile has."""

_PAYLOAD: Final = f"{{{OADR}}}oadrPayload"
_SIGNED_OBJECT: Final = f"{{{OADR}}}oadrSignedObject"
_SIGNATURE: Final = f"{{{DS}}}Signature"
_OBJECT_IDS: Final = (f"{{{OADR}}}Id", "Id")
_CANONICALISATIONS: Final = frozenset({C14N, C14N_WITH_COMMENTS})
_METHODS: Final = frozenset(Method)
_TRANSFORMS: Final = {
    # Without a transform, the octets are canonical all the same (XML Signature 1.1, section 4.4.3.2).
    "#": frozenset({(), (C14N,), (C14N_WITH_COMMENTS,)}),
    "": frozenset({(ENVELOPED,), (ENVELOPED, C14N), (ENVELOPED, C14N_WITH_COMMENTS)}),
}
"""Allowed transforms, for a reference by Id and for one to the whole document."""
_ID_ATTRIBUTES: Final = etree.XPath("//@*[translate(local-name(), 'iD', 'Id') = 'Id']", smart_strings=False)
"""Whatever any reader might take for an Id: every case, with and without a namespace."""


def _tags(names: str) -> list[str]:
    return [f"{{{DS}}}{name}" for name in names.split()]


_IN_SIGNATURE: Final = _tags("SignedInfo SignatureValue KeyInfo Object")
_IN_SIGNED_INFO: Final = _tags("CanonicalizationMethod SignatureMethod Reference Reference")
_IN_REFERENCE: Final = _tags("Transforms DigestMethod DigestValue")
_IN_OBJECT: Final = _tags("SignatureProperties")
_IN_PROPERTIES: Final = _tags("SignatureProperty")
_TRANSFORM, _REFERENCE, _X509_DATA, _X509_CERTIFICATE = _tags("Transform Reference X509Data X509Certificate")


@attrs.frozen(kw_only=True)
class Reference:
    """What one reference claims: that the canonical form of ``uri`` has this SHA-256 digest."""

    uri: str
    digest: bytes


@attrs.frozen(kw_only=True)
class Parts:
    """The parts of a signed document, none of them believed yet.

    ``certificates`` are in DER form, the signer's first. ``properties`` is the element that the second reference
    names: it holds the ReplayProtect. ``last``: the signature stands behind the object, where the schema does not
    have it.
    """

    root: Node
    signature: Node
    signed_object: Node
    signed_info: Node
    properties: Node
    method: Method
    value: bytes
    certificates: tuple[bytes, ...]
    style: Style
    object_digest: bytes
    properties_digest: bytes
    last: bool


def find_parts(root: Node) -> Parts | None:
    """The parts of an unauthenticated document; ``None`` if there is no ds:Signature anywhere in it.

    Raises a :class:`~oadr_core.security.SignatureError` for every form but the expected one.
    """
    signatures = list(root.iter(_SIGNATURE))
    if not signatures:
        return None
    if len(signatures) > 1:
        raise SecondSignature(f"{len(signatures)} ds:Signature elements in the document, at most one is allowed")
    signature = signatures[0]
    signed_object, last = _envelope(root, signature)
    signed_info, value, key_info, holder = _exactly(signature, _IN_SIGNATURE)
    method, references = _signed_info(signed_info)
    holders = _holders(root, holder)
    ids = [value.strip() for value in _ids(root)]
    for reference in references:
        if reference.uri and ids.count(reference.uri[1:]) > 1:
            raise DuplicateId(f"more than one element has the Id {shown(reference.uri[1:])}", value=reference.uri[1:])
    to_object, to_properties, properties = _assign(references, signed_object, holders)
    return Parts(
        root=root,
        signature=signature,
        signed_object=signed_object,
        signed_info=signed_info,
        properties=properties,
        method=method,
        value=_base64(value),
        certificates=_certificates(key_info),
        style=Style.OBJECT if to_object.uri else Style.DOCUMENT,
        object_digest=to_object.digest,
        properties_digest=to_properties.digest,
        last=last,
    )


def _envelope(root: Node, signature: Node) -> tuple[Node, bool]:
    """The signed object beside the signature, and whether the signature stands behind it."""
    if root.tag != _PAYLOAD:
        raise SignatureMalformed("a signed document must be an oadrPayload")
    children = [child for child in root if isinstance(child.tag, str)]
    tags = [child.tag for child in children]
    texts = "".join([root.text or "", *(child.tail or "" for child in root)])
    if tags not in ([_SIGNATURE, _SIGNED_OBJECT], [_SIGNED_OBJECT, _SIGNATURE]) or texts.strip():
        raise SignatureMalformed("oadrPayload must have one ds:Signature, one oadrSignedObject, and nothing else")
    for element in (root, signature):
        # Canonical XML lets xml:lang and its like reach into what is signed.
        if any(name.startswith(f"{{{XML}}}") for name in element.attrib):
            raise SignatureMalformed("an xml: attribute above what is signed")
    last = tags[1] == _SIGNATURE
    return children[0 if last else 1], last


def _signed_info(signed_info: Node) -> tuple[Method, list[Reference]]:
    children = list(signed_info)
    if [child.tag for child in children] != _IN_SIGNED_INFO:
        count = sum(child.tag == _REFERENCE for child in children)
        if count != 2:
            raise WrongReference(f"{count} references, two are expected", rule="R514")
        _exactly(signed_info, _IN_SIGNED_INFO)
    name = _algorithm(children[0])
    if name not in _CANONICALISATIONS:
        raise AlgorithmForbidden(f"the canonicalisation {shown(name)} is not allowed", value=name, rule="R514")
    method = _algorithm(children[1])
    if method not in _METHODS:
        raise AlgorithmForbidden(f"the signature method {shown(method)} is not allowed", value=method, rule="R514")
    return Method(method), [_reference(child) for child in children[2:]]


def _reference(reference: Node) -> Reference:
    uri = reference.get("URI")
    if uri is None or uri[:1] not in _TRANSFORMS:
        raise WrongReference(f"a reference to {shown(uri)}, outside the document", value=uri, rule="R514")
    *transforms, method, digest = _exactly(reference, _IN_REFERENCE[-max(len(reference), 2) :])
    names = tuple(_algorithm(step) for each in transforms for step in _exactly(each, len(each) * [_TRANSFORM]))
    if names not in _TRANSFORMS[uri[:1]]:
        raise TransformForbidden(f"the transforms {shown(names)} are not allowed here", value=names, rule="R514")
    name = _algorithm(method)
    if name != SHA256:
        raise AlgorithmForbidden(f"the digest method {shown(name)} is not allowed", value=name, rule="R514")
    return Reference(uri=uri, digest=_base64(digest))


def _holders(root: Node, holder: Node) -> list[Node]:
    """The elements that hold the one ReplayProtect property, and itself: a reference may name any of them."""
    found = list(root.iter(REPLAY_PROTECT))
    if not found:
        raise ReplayProtectMissing("no ReplayProtect property", rule="R514")
    if len(found) > 1:
        raise SecondReplayProtect(f"{len(found)} ReplayProtect elements in the document, one is expected", rule="R514")
    (properties,) = _exactly(holder, _IN_OBJECT)
    (single,) = _exactly(properties, _IN_PROPERTIES)
    _exactly(single, [REPLAY_PROTECT])
    return [holder, properties, single, found[0]]


def _assign(
    references: list[Reference], signed_object: Node, holders: list[Node]
) -> tuple[Reference, Reference, Node]:
    """Which reference is to the object and which to the property, and what holds it; each must be there exactly
    once."""
    object_ids = [name for key in _OBJECT_IDS if (name := signed_object.get(key)) is not None]
    to_object = [each for each in references if not each.uri or each.uri[1:] in object_ids]
    to_properties = [
        (each, holder) for each in references for holder in holders if each.uri and each.uri[1:] == holder.get("Id")
    ]
    if len(to_object) != 1 or len(to_properties) != 1 or to_object[0] is to_properties[0][0]:
        uris = " and ".join(shown(each.uri) for each in references)
        raise WrongReference(
            f"references to {uris}, not one to oadrSignedObject and one to the ReplayProtect property", rule="R514"
        )
    return to_object[0], *to_properties[0]


def _certificates(key_info: Node) -> tuple[bytes, ...]:
    texts = [text for data in key_info.iterchildren(_X509_DATA) for text in data.iterchildren(_X509_CERTIFICATE)]
    if not texts:
        raise CertificateUnreadable("no ds:X509Certificate inside ds:KeyInfo", rule="R514")
    if len(texts) > LONGEST_CHAIN:
        raise CertificateUnreadable(f"{len(texts)} certificates, more than {LONGEST_CHAIN}", rule="R514")
    return tuple(_base64(text) for text in texts)


def _exactly(element: Node, tags: list[str]) -> list[Node]:
    """The children of an element: these, in this order, and no comment between them."""
    children = list(element)
    if [child.tag for child in children] != tags:
        names = ", ".join(tag.rpartition("}")[2] for tag in tags)
        raise SignatureMalformed(f"{_local(element)} must have {names or 'no elements'} inside, and nothing else")
    return children


def _algorithm(element: Node) -> str:
    """The algorithm of an element; parameters, as HMAC has them, are not allowed."""
    if len(element) or element.keys() != ["Algorithm"]:
        raise AlgorithmForbidden(f"{_local(element)} must have an Algorithm, and nothing else", rule="R514")
    return element.get("Algorithm", "")


def _base64(element: Node) -> bytes:
    """What is in base64, with the blanks and carriage returns that writers put between the lines."""
    if len(element):
        raise SignatureMalformed(f"{_local(element)} must have base64 inside, and nothing else")
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except ValueError:
        raise SignatureMalformed(f"{_local(element)} is not base64") from None


def _local(element: Node) -> str:
    return f"ds:{etree.QName(element).localname}"


def _ids(root: Node) -> Iterable[str]:
    found: Iterable[str] = _ID_ATTRIBUTES(root)
    return found
