"""The parts of a signed document, found by position: what stands elsewhere is refused, not searched for.

It stands alone because this is where forgeries by rearrangement end. Nothing here believes anything; it only says which element
would be the signed object, which the property, and which algorithms are claimed (profile section 10.6, figure 23).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Final, TypeAlias

import attrs
from lxml import etree

from ..errors import shown
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
from .trust import LONGEST_CHAIN

Node: TypeAlias = etree._Element

PAYLOAD: Final = f"{{{OADR}}}oadrPayload"
SIGNED_OBJECT: Final = f"{{{OADR}}}oadrSignedObject"
SIGNATURE: Final = f"{{{DS}}}Signature"
REPLAY_PROTECT: Final = f"{{{DSP}}}ReplayProtect"
TIMESTAMP: Final = f"{{{DSP}}}timestamp"
NONCE: Final = f"{{{DSP}}}nonce"

_OBJECT_IDS: Final = (f"{{{OADR}}}Id", "Id")
_REFERENCES: Final = 2
_CANONICALISATIONS: Final = frozenset({C14N, C14N_WITH_COMMENTS})
_TRANSFORMS: Final = {
    # Without a transform, the octets are the canonical form all the same (XML Signature 1.1, section 4.4.3.2).
    "#": frozenset({(), (C14N,), (C14N_WITH_COMMENTS,)}),
    "": frozenset({(ENVELOPED,), (ENVELOPED, C14N), (ENVELOPED, C14N_WITH_COMMENTS)}),
}
"""Allowed transforms, for a reference by Id and for one to the whole document."""
_IDS: Final = etree.XPath("//@*[local-name()='Id' or local-name()='id' or local-name()='ID']")


@attrs.frozen(kw_only=True)
class Reference:
    """What is claimed of one reference."""

    uri: str
    digest: bytes


@attrs.frozen(kw_only=True)
class Parts:
    """The parts of a signed document. ``certificates`` are in DER form, the signer's first."""

    root: Node
    signature: Node
    signed_object: Node
    signed_info: Node
    comments_in_signed_info: bool
    method: Method
    value: bytes
    certificates: tuple[bytes, ...]
    properties: Node
    """The element that the second reference names: it holds the ReplayProtect."""
    style: Style
    object_digest: bytes
    properties_digest: bytes
    last: bool
    """Whether the signature stands behind the object, where the schema does not have it."""


def find_parts(root: Node) -> Parts | None:
    """The parts of an unauthenticated document; ``None`` if there is no ds:Signature anywhere in it.

    Raises a :class:`~oadr_core.security.SignatureError` for every form but the expected one.
    """
    signatures = list(root.iter(SIGNATURE))
    if not signatures:
        return None
    if len(signatures) > 1:
        raise SecondSignature(f"{len(signatures)} ds:Signature elements in the document, at most one is allowed")
    signature = signatures[0]
    signed_object, last = _envelope(root, signature)
    signed_info, value, key_info, properties = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo", "Object")
    comments, method, claims = _signed_info(signed_info)
    candidates = _properties(root, properties)
    style, object_claim, properties_claim, target = _assign(claims, signed_object, candidates)
    _check_ids(root, style, object_claim, properties_claim)
    return Parts(
        root=root,
        signature=signature,
        signed_object=signed_object,
        signed_info=signed_info,
        comments_in_signed_info=comments,
        method=method,
        value=_base64(value),
        certificates=_certificates(key_info),
        properties=target,
        style=style,
        object_digest=object_claim.digest,
        properties_digest=properties_claim.digest,
        last=last,
    )


# --- the document ---------------------------------------------------------------------------------------------------


def _envelope(root: Node, signature: Node) -> tuple[Node, bool]:
    if root.tag != PAYLOAD or signature.getparent() is not root:
        raise SignatureMalformed("ds:Signature stands elsewhere than inside oadrPayload")
    children = [child for child in root if isinstance(child.tag, str)]
    tags = [child.tag for child in children]
    if sorted(tags) != [SIGNED_OBJECT, SIGNATURE]:
        raise SignatureMalformed("oadrPayload must have one ds:Signature, one oadrSignedObject, and nothing else")
    for element in (root, signature):
        # Canonical XML lets xml:lang and its like reach into what is signed.
        if any(name.startswith(f"{{{XML}}}") for name in element.attrib):
            raise SignatureMalformed("an xml: attribute above what is signed")
    last = tags[1] == SIGNATURE
    return children[0 if last else 1], last


def _check_ids(root: Node, style: Style, *claims: Reference) -> None:
    wanted = [claim.uri[1:] for claim in claims if claim.uri]
    values = [str(value) for value in _ids(root)]
    for name in wanted:
        if values.count(name) > 1:
            raise DuplicateId(f"{values.count(name)} elements have the Id {shown(name)}", value=name)


def _ids(root: Node) -> list[str]:
    return _IDS(root)  # type: ignore[return-value]  # this expression gives attributes and nothing else


# --- inside the signature -------------------------------------------------------------------------------------------


def _signed_info(signed_info: Node) -> tuple[bool, Method, list[Reference]]:
    canonicalisation, method, *references = _elements(signed_info)
    if len(references) != _REFERENCES:
        raise WrongReference(f"{len(references)} references, two are expected")
    _children(signed_info, "CanonicalizationMethod", "SignatureMethod", *(_REFERENCES * ["Reference"]))
    name = _algorithm(canonicalisation)
    if name not in _CANONICALISATIONS:
        raise AlgorithmForbidden(f"canonicalisation {shown(name)} is not allowed", value=name, rule="R514")
    claimed = _algorithm(method)
    if claimed not in list(Method):
        raise AlgorithmForbidden(f"signature method {shown(claimed)} is not allowed", value=claimed, rule="R514")
    return name == C14N_WITH_COMMENTS, Method(claimed), [_reference(reference) for reference in references]


def _reference(reference: Node) -> Reference:
    uri = reference.get("URI")
    if uri is None or (uri and not uri.startswith("#")):
        raise WrongReference(f"a reference to {shown(uri)}, outside the document", value=uri)
    children = _elements(reference)
    if len(children) == 2:
        _children(reference, "DigestMethod", "DigestValue", allowed=("URI", "Id", "Type"))
        transforms: tuple[str, ...] = ()
    else:
        _children(reference, "Transforms", "DigestMethod", "DigestValue", allowed=("URI", "Id", "Type"))
        steps = _elements(children.pop(0))
        _children(steps[0].getparent(), *(len(steps) * ["Transform"])) if steps else ()
        transforms = tuple(_algorithm(step) for step in steps)
    if transforms not in _TRANSFORMS[uri[:1]]:
        raise TransformForbidden(f"transforms {shown(transforms)} are not allowed here", value=transforms, rule="R514")
    name = _algorithm(children[0])
    if name != SHA256:
        raise AlgorithmForbidden(f"digest method {shown(name)} is not allowed", value=name, rule="R514")
    return Reference(uri=uri, digest=_base64(children[1]))


def _properties(root: Node, holder: Node) -> list[Node]:
    """The elements around the ReplayProtect property, any of which a reference may name."""
    found = list(root.iter(REPLAY_PROTECT))
    if not found:
        raise ReplayProtectMissing("no ReplayProtect property", rule="R514")
    if len(found) > 1:
        raise SecondReplayProtect(f"{len(found)} ReplayProtect elements in the document, one is expected", rule="R514")
    (properties,) = _children(holder, "SignatureProperties", allowed=("Id",))
    (single,) = _children(properties, "SignatureProperty", allowed=("Id",))
    if [child for child in single] != found:
        raise SignatureMalformed("ReplayProtect must stand alone inside ds:SignatureProperty")
    return [holder, properties, single, found[0]]


def _assign(
    claims: list[Reference], signed_object: Node, candidates: list[Node]
) -> tuple[Style, Reference, Reference, Node]:
    """Which reference is to the object and which to the property; each must be there exactly once."""
    ids = [value for name in _OBJECT_IDS if (value := signed_object.get(name)) is not None]
    if len(ids) > 1:
        raise DuplicateId("oadrSignedObject has two Ids")
    to_object = [claim for claim in claims if not claim.uri or claim.uri[1:] in ids]
    to_property = [(claim, each) for claim in claims for each in candidates if claim.uri and claim.uri[1:] == each.get("Id")]
    if len(to_object) != 1 or len(to_property) != 1 or to_object[0] is to_property[0][0]:
        uris = ", ".join(shown(claim.uri) for claim in claims)
        raise WrongReference(
            f"the references {uris} are not one to oadrSignedObject and one to the ReplayProtect property", rule="R514"
        )
    style = Style.OBJECT if to_object[0].uri else Style.DOCUMENT
    return style, to_object[0], to_property[0][0], to_property[0][1]


def _certificates(key_info: Node) -> tuple[bytes, ...]:
    data = [child for child in _elements(key_info) if child.tag == f"{{{DS}}}X509Data"]
    texts = [child for each in data for child in _elements(each) if child.tag == f"{{{DS}}}X509Certificate"]
    if not texts:
        raise CertificateUnreadable("no ds:X509Certificate inside ds:KeyInfo")
    if len(texts) > LONGEST_CHAIN:
        raise CertificateUnreadable(f"{len(texts)} certificates, more than {LONGEST_CHAIN}")
    return tuple(_base64(text) for text in texts)


# --- small things ---------------------------------------------------------------------------------------------------


def _elements(element: Node) -> list[Node]:
    """The children of an element inside the signature, where nothing but elements is expected."""
    for text in (element.text, *(child.tail for child in element)):
        if text and not text.isspace():
            raise SignatureMalformed(f"stray text {shown(text)} inside {_local(element)}")
    children = list(element)
    if not all(isinstance(child.tag, str) for child in children):
        raise SignatureMalformed(f"a comment inside {_local(element)}")
    return children


def _children(element: Node, *names: str, allowed: tuple[str, ...] = ()) -> list[Node]:
    """The children of an element, which must be these of the signature's namespace, in this order."""
    children = _elements(element)
    if [child.tag for child in children] != [f"{{{DS}}}{name}" for name in names]:
        raise SignatureMalformed(f"{_local(element)} must have {', '.join(names)}, and nothing else")
    return children


def _algorithm(element: Node) -> str:
    """The algorithm of an element that has no parameters."""
    if len(element) or element.keys() != ["Algorithm"]:
        raise AlgorithmForbidden(f"{_local(element)} must have an Algorithm and nothing else", rule="R514")
    return element.get("Algorithm") or ""


def _base64(element: Node) -> bytes:
    """Base64, with the blanks and carriage returns that writers put into it."""
    if len(element):
        raise SignatureMalformed(f"{_local(element)} must have text and nothing else")
    try:
        return base64.b64decode("".join((element.text or "").split()), validate=True)
    except (binascii.Error, ValueError):
        raise SignatureMalformed(f"{_local(element)} is not base64") from None


def _local(element: Node) -> str:
    return f"ds:{etree.QName(element).localname}"


def _nothing() -> Iterator[None]:
    return iter(())
