"""Nothing is verified with algorithms and transforms other than the profile's."""

from __future__ import annotations

import re

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from oadr_core import security as s
from tests.core.security import forge as f
from tests.core.security.kit import certificate, der, private_key, refused


def public_pem(name: str) -> bytes:
    return bytes(
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


@pytest.mark.rule("R514")
@pytest.mark.parametrize(
    ("name", "method", "sign"),
    [
        ("rsa", f"{f.DS}rsa-sha1", f.honest("rsa", hashes.SHA1())),
        ("ec", f"{f.MORE}ecdsa-sha1", f.honest("ec", hashes.SHA1())),
        ("rsa", f"{f.MORE}rsa-md5", f.honest("rsa", hashes.MD5())),
        ("rsa", f"{f.MORE}rsa-sha512", f.honest("rsa", hashes.SHA512())),
        ("rsa", f"{f.MORE}hmac-sha256", f.with_mac(public_pem("rsa"))),
        ("rsa", f"{f.DS}hmac-sha1", f.with_mac(der(certificate("rsa")))),
        ("ec", f"{f.MORE}ecdsa-sha512", f.honest("ec", hashes.SHA512())),
        ("ec", f"{f.MORE}hmac-sha256", f.with_mac(public_pem("ec"))),
        ("rsa", f"{f.MORE}hmac-sha256", f.with_mac(b"")),
        ("rsa", f"{f.MORE}rsa-ripemd160", f.honest("rsa")),
        ("rsa", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1", f.honest("rsa")),
        ("rsa", "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519", f.honest("rsa")),
        ("rsa", "rsa-sha256", f.honest("rsa")),
        ("rsa", "none", lambda _: b""),
        ("rsa", "", lambda _: b""),
        ("rsa", f"{f.DS}dsa-sha1", f.honest("rsa")),
        ("rsa", f"{f.MORE}RSA-SHA256", f.honest("rsa")),
        ("rsa", f" {f.MORE}rsa-sha256", f.honest("rsa")),
    ],
)
def test_signature_methods_that_are_not_allowed(name: str, method: str, sign: f.Sign) -> None:
    data = f.forge(name, sign=sign, method=method or "urn:empty").replace(b'"urn:empty"', b'""')
    refused(data, s.AlgorithmForbidden)


def test_parameters_of_a_method() -> None:
    short = "<ds:HMACOutputLength>8</ds:HMACOutputLength>"
    refused(f.forge(parameters=short), s.AlgorithmForbidden)
    refused(f.forge(method=f"{f.MORE}hmac-sha256", parameters=short), s.AlgorithmForbidden)


@pytest.mark.parametrize("element", ["CanonicalizationMethod", "SignatureMethod", "DigestMethod", "Transform"])
@pytest.mark.parametrize("attribute", ["", 'ds:Algorithm="{}"', 'algorithm="{}"', 'Algorithm="{}" ds:Algorithm="none"'])
def test_algorithm_must_be_named_once(element: str, attribute: str) -> None:
    plain = f.document_of(f.signature_of(), f.OBJECT)
    found = re.search(f'<ds:{element} Algorithm="([^"]*)"', plain)
    assert found
    refused(
        f.forge().replace(found[0].encode(), f"<ds:{element} {attribute.format(found[1])}".encode()),
        s.AlgorithmForbidden,
    )


@pytest.mark.parametrize("position", [0, 1])
def test_digest_methods_that_are_not_allowed(position: int) -> None:
    for digest in (f.SHA1, f"{f.MORE}md5", "http://www.w3.org/2001/04/xmlenc#sha512", "none"):
        references = [f.OBJECT_REF, f.PROPERTY_REF]
        references[position] = references[position]._replace(digest=digest)
        refused(f.forge(references=references), s.AlgorithmForbidden)


@pytest.mark.parametrize("how", [f.EXCLUSIVE, "http://www.w3.org/2006/12/xml-c14n11", "urn:none"])
def test_canonicalisations_that_are_not_allowed(how: str) -> None:
    refused(f.forge(canonicalisation=how), s.AlgorithmForbidden)


@pytest.mark.parametrize(
    "transforms",
    [
        (f.EXCLUSIVE,),
        (f.ENVELOPED,),
        (f.ENVELOPED, f.C14N),
        ("http://www.w3.org/TR/1999/REC-xslt-19991116",),
        ("http://www.w3.org/TR/1999/REC-xpath-19991116", f.C14N),
        ("http://www.w3.org/2002/06/xmldsig-filter2", f.C14N),
        (f"{f.DS}base64",),
        (f.C14N, f.C14N),
        ("urn:identity",),
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_transforms_that_are_not_allowed(transforms: tuple[str, ...], position: int) -> None:
    references = [f.OBJECT_REF, f.PROPERTY_REF]
    references[position] = references[position]._replace(transforms=transforms)
    refused(f.forge(references=references), s.TransformForbidden)


@pytest.mark.parametrize("transforms", [(), (f.C14N,), (f.C14N, f.ENVELOPED), (f.ENVELOPED, f.EXCLUSIVE), None])
def test_whole_document_without_the_enveloped_transform(transforms: tuple[str, ...] | None) -> None:
    refused(f.forge(references=(f.Ref("", transforms), f.PROPERTY_REF)), s.TransformForbidden)


def test_transform_with_parameters() -> None:
    path = "<ds:XPath>not(ancestor-or-self::ei:venID)</ds:XPath>"
    prefixes = f'<ec:InclusiveNamespaces xmlns:ec="{f.EXCLUSIVE}" PrefixList="oadr"/>'
    style = '<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"/>'
    for inside in (path, prefixes, style, "<!-- -->"):
        references = (f.OBJECT_REF._replace(inside_transform=inside), f.PROPERTY_REF)
        refused(f.forge(references=references), s.AlgorithmForbidden)


@pytest.mark.parametrize("transforms", [(f.C14N, f.ENVELOPED, f.C14N), (f.ENVELOPED, f.ENVELOPED), 40 * (f.ENVELOPED,)])
def test_more_transforms_than_needed(transforms: tuple[str, ...]) -> None:
    refused(f.forge(references=(f.Ref("", transforms), f.PROPERTY_REF)), s.TransformForbidden)
