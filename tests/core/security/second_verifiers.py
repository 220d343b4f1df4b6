"""libxmlsec1 and signxml, which share no code with each other nor with the project, as verifiers and as signers.

What they refuse, they refuse with an exception.
"""

from __future__ import annotations

from typing import Any

import signxml
import xmlsec
from cryptography import x509
from lxml import etree

from tests.core.security import forge as f
from tests.core.security.kit import NONCE, NOW, certificate, key_bytes, pem, private_key

Node = Any


def verified_by_libxmlsec1(data: bytes, certificate: bytes) -> None:
    """Raise ``xmlsec.Error`` unless libxmlsec1 verifies the document with a certificate in DER form."""
    root = etree.fromstring(data)
    context = _context(root)
    context.key = xmlsec.Key.from_memory(certificate, xmlsec.KeyFormat.CERT_DER)
    context.verify(next(root.iter(f"{{{f.DS}}}Signature")))


def verified_by_signxml(data: bytes, certificate: bytes) -> list[bytes]:
    """Return what is signed; raises unless signxml verifies the document with a certificate in DER form."""
    config = signxml.SignatureConfiguration(location="./", expect_references=2, verification_time=NOW)
    results = signxml.XMLVerifier().verify(
        data, x509_cert=x509.load_der_x509_certificate(certificate), expect_config=config
    )
    assert isinstance(results, list)
    return [result.signed_data for result in results]


def signed_by_libxmlsec1(document: bytes, name: str) -> bytes:
    """Sign a document that has a ds:Signature with empty values, or with somebody else's."""
    root = etree.fromstring(document)
    signature = next(root.iter(f"{{{f.DS}}}Signature"))
    for emptied in ("DigestValue", "SignatureValue"):
        for element in signature.iter(f"{{{f.DS}}}{emptied}"):
            element.text = None
    context = _context(root)
    context.key = xmlsec.Key.from_memory(key_bytes(name), xmlsec.KeyFormat.PEM)
    context.sign(signature)
    return etree.tostring(root)


def signed_by_signxml(signed_object: bytes, name: str) -> bytes:
    """Sign an oadrSignedObject that declares its own namespaces and has its Id, and put both into an oadrPayload.

    Inclusive C14N digests what is in scope, so nothing is declared around them that signxml has not seen. It has no
    way to sign a whole document and a property at once: this is the one style.
    """
    maker = signxml.XMLSigner(
        method=signxml.methods.detached,
        signature_algorithm="rsa-sha256" if name.startswith("rsa") else "ecdsa-sha256",
        c14n_algorithm=f.C14N,
    )
    maker.namespaces["oadr"] = f.OADR
    protect = etree.Element(f"{{{f.DSP}}}ReplayProtect", nsmap={"dsp": f.DSP})
    etree.SubElement(protect, f"{{{f.DSP}}}timestamp").text = NOW.isoformat()
    etree.SubElement(protect, f"{{{f.DSP}}}nonce").text = NONCE
    signature = maker.sign(
        etree.fromstring(signed_object),
        key=private_key(name),
        cert=pem(certificate(name)).decode(),
        reference_uri="#oadrSignedObject",
        signature_properties=protect,
    )
    parts = (f'<oadr:oadrPayload xmlns:oadr="{f.OADR}">'.encode(), etree.tostring(signature), signed_object)
    return b"".join((*parts, b"</oadr:oadrPayload>"))


def _context(root: Node) -> Any:
    context = xmlsec.SignatureContext()
    known = set()
    for element in root.iter(etree.Element):
        for key, namespace in (("Id", None), (f"{{{f.OADR}}}Id", f.OADR)):
            name = element.get(key)
            if name is not None and name not in known:  # one that is there twice must not be referred to
                context.register_id(element, "Id", namespace)
                known.add(name)
    return context
