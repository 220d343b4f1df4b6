"""Signed documents of any shape, rightly signed: what an attacker, or a peer with other ideas, might send.

It shares no code with the project: canonical form is lxml's, keys are the kit's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree

from tests.core.security.kit import NONCE, certificate, der, private_key

OADR = "http://openadr.org/oadr-2.0b/2012/07"
EI = "http://docs.oasis-open.org/ns/energyinterop/201110"
DS = "http://www.w3.org/2000/09/xmldsig#"
DSP = "http://openadr.org/oadr-2.0b/2012/07/xmldsig-properties"
C14N = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
SHA1 = f"{DS}sha1"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"

NAMESPACES = f'xmlns:oadr="{OADR}" xmlns:ei="{EI}" xmlns:ds="{DS}" xmlns:dsp="{DSP}"'
MESSAGE = '<oadr:oadrPoll ei:schemaVersion="2.0b"><ei:venID>ven-1</ei:venID></oadr:oadrPoll>'
FORGED = MESSAGE.replace("ven-1", "mallory")
REPLAY_PROTECT = (
    "<dsp:ReplayProtect><dsp:timestamp>2030-06-01T12:00:00Z</dsp:timestamp>"
    f"<dsp:nonce>{NONCE}</dsp:nonce></dsp:ReplayProtect>"
)
PROPERTY = (
    f'<ds:Object Id="prop"><ds:SignatureProperties><ds:SignatureProperty Target="">{REPLAY_PROTECT}'
    "</ds:SignatureProperty></ds:SignatureProperties></ds:Object>"
)

Sign = Callable[[bytes], bytes]


class Ref(NamedTuple):
    """One reference; ``digested`` says what is digested in truth, by an XPath, if not what ``uri`` names."""

    uri: str | None
    transforms: Sequence[str] | None = (C14N,)
    digest: str = SHA256
    digested: str = ""
    inside_transform: str = ""


OBJECT_REF = Ref("#oadrSignedObject")
PROPERTY_REF = Ref("#prop")
ENVELOPED_REF = Ref("", (ENVELOPED, C14N))


def object_of(message: str, name: str | None = "oadrSignedObject") -> str:
    given = f' oadr:Id="{name}"' if name is not None else ""
    return f"<oadr:oadrSignedObject{given}>{message}</oadr:oadrSignedObject>"


OBJECT = object_of(MESSAGE)


def signature_of(name: str = "rsa", **changes: Any) -> str:
    """A ds:Signature with empty digests and value, to be put into a document and :func:`finish` ed."""
    references = "".join(_reference(each) for each in changes.get("references", (OBJECT_REF, PROPERTY_REF)))
    method = changes.get("method") or MORE + ("rsa-sha256" if name.startswith("rsa") else "ecdsa-sha256")
    canonicalisation = changes.get("canonicalisation", C14N)
    return (
        f"<ds:Signature><ds:SignedInfo>{changes.get('before', '')}"
        f'<ds:CanonicalizationMethod Algorithm="{canonicalisation}"/>'
        f'<ds:SignatureMethod Algorithm="{method}">{changes.get("parameters", "")}</ds:SignatureMethod>'
        f"{references}</ds:SignedInfo><ds:SignatureValue/>"
        f"<ds:KeyInfo>{changes.get('key_info', key_info(name))}</ds:KeyInfo>"
        f"{changes.get('objects', PROPERTY)}</ds:Signature>"
    )


def key_info(*names: str) -> str:
    return key_info_of(*(der(certificate(name)) for name in names))


def key_info_of(*ders: bytes) -> str:
    texts = [base64.b64encode(each).decode() for each in ders]
    return f"<ds:X509Data>{''.join(f'<ds:X509Certificate>{text}</ds:X509Certificate>' for text in texts)}</ds:X509Data>"


def document_of(*parts: str, attributes: str = "") -> str:
    return f"<oadr:oadrPayload {NAMESPACES}{attributes}>{''.join(parts)}</oadr:oadrPayload>"


def finish(
    document: str, name: str = "rsa", *, sign: Sign | None = None, references: Sequence[Ref] | None = None
) -> bytes:
    """Fill in the digests and the signature value of the last ds:Signature in a document."""
    root = etree.fromstring(document.encode())
    signature = list(root.iter(f"{{{DS}}}Signature"))[-1]
    signed_info = signature[0]
    refs = [OBJECT_REF, PROPERTY_REF] if references is None else references
    for ref, element in zip(refs, signed_info.iterfind(f"{{{DS}}}Reference"), strict=True):
        algorithm = hashlib.sha1 if element.find(f"{{{DS}}}DigestMethod").get("Algorithm") == SHA1 else hashlib.sha256
        digest = algorithm(_digested(root, ref)).digest()
        element.find(f"{{{DS}}}DigestValue").text = base64.b64encode(digest).decode()
    return signed_again(bytes(etree.tostring(root)), name, sign=sign)


def signed_anew(data: bytes, name: str) -> bytes:
    """Somebody's signed document, whatever it looks like, signed with another certificate."""
    root = etree.fromstring(data, etree.XMLParser(resolve_entities=False))
    signature = list(root.iter(f"{{{DS}}}Signature"))[-1]
    references = []
    for element in signature[0].iterfind(f"{{{DS}}}Reference"):
        transforms = [each.get("Algorithm", "") for each in element.iter(f"{{{DS}}}Transform")]
        references.append(Ref(element.get("URI"), transforms))
    for element in signature.iter(f"{{{DS}}}SignatureMethod"):
        element.set("Algorithm", MORE + ("rsa-sha256" if name.startswith("rsa") else "ecdsa-sha256"))
    for element in signature.iter(f"{{{DS}}}X509Certificate"):
        element.text = base64.b64encode(der(certificate(name))).decode()
    return finish(etree.tostring(root).decode(), name, references=references)


def signed_again(data: bytes, name: str = "rsa", *, sign: Sign | None = None) -> bytes:
    """Fill in the signature value over a SignedInfo as it stands, with whatever digests it has."""
    root = etree.fromstring(data)
    signature = list(root.iter(f"{{{DS}}}Signature"))[-1]
    signed_info = signature[0]
    how = signed_info.find(f"{{{DS}}}CanonicalizationMethod").get("Algorithm")
    canonical = canonical_form(signed_info, exclusive=how == EXCLUSIVE)
    signature.find(f"{{{DS}}}SignatureValue").text = base64.b64encode((sign or honest(name))(canonical)).decode()
    return bytes(etree.tostring(root))


def forge(
    name: str = "rsa", *, sign: Sign | None = None, last: bool = False, message: str = OBJECT, **changes: Any
) -> bytes:
    """An ordinary signed document with one thing changed."""
    references = changes.get("references", (OBJECT_REF, PROPERTY_REF))
    parts = [signature_of(name, **changes), message]
    document = document_of(*(reversed(parts) if last else parts), attributes=changes.get("attributes", ""))
    return finish(document, name, sign=sign, references=references)


def honest(name: str, algorithm: hashes.HashAlgorithm | None = None) -> Sign:
    key, sha = private_key(name), algorithm or hashes.SHA256()

    def sign(data: bytes) -> bytes:
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), sha)
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(sha)))
        width = (key.key_size + 7) // 8
        return r.to_bytes(width) + s.to_bytes(width)

    return sign


def with_mac(key: bytes) -> Sign:
    return lambda data: hmac.new(key, data, hashlib.sha256).digest()


def canonical_form(element: Any, *, exclusive: bool = False) -> bytes:
    alone = etree.fromstring(etree.tostring(element, with_tail=False))
    return bytes(etree.tostring(alone, method="c14n", exclusive=exclusive, with_comments=False))


def _reference(ref: Ref) -> str:
    uri = "" if ref.uri is None else f' URI="{ref.uri}"'
    transforms = ""
    if ref.transforms is not None:
        inside = ref.inside_transform
        each = "".join(f'<ds:Transform Algorithm="{name}">{inside}</ds:Transform>' for name in ref.transforms)
        transforms = f"<ds:Transforms>{each}</ds:Transforms>"
    return f'<ds:Reference{uri}>{transforms}<ds:DigestMethod Algorithm="{ref.digest}"/><ds:DigestValue/></ds:Reference>'


def _digested(root: Any, ref: Ref) -> bytes:
    exclusive = EXCLUSIVE in (ref.transforms or ())
    if ref.digested:
        (element,) = root.xpath(ref.digested, namespaces={"ds": DS, "oadr": OADR, "ei": EI, "dsp": DSP})
        return canonical_form(element, exclusive=exclusive)
    if ref.uri is None or not ref.uri.startswith("#"):
        copy = etree.fromstring(etree.tostring(root))
        for signature in list(copy.iter(f"{{{DS}}}Signature")):
            parent = signature.getparent()
            assert parent is not None
            parent.remove(signature)
        return canonical_form(copy, exclusive=exclusive)
    found = root.xpath("//*[@*[local-name()='Id']=$name]", name=ref.uri[1:])
    return canonical_form(found[0], exclusive=exclusive) if found else b""
