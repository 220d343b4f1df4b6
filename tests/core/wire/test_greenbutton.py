"""Green Button feeds, as validators of the schema judge them."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from oadr_core import LocalError, RemoteError, decode, encode
from oadr_core.model import NAMESPACES, GBPayload, Payload, UpdateReport
from tests.documents import ATOM, Manner, SchemaFiles, meaning, message_of, schema_path, squashed
from tests.golden import ANNEX_A
from tests.mutations import mutations

[REPORT] = [path.read_text() for path in ANNEX_A if path.stem == "oadrUpdateReport"]
START, END = REPORT.index("<oadr:oadrReportPayload>"), REPORT.rindex("</oadr:oadrReportPayload>")
NAMES = f'xmlns="{ATOM}" xmlns:e="http://naesb.org/espi" xmlns:x="http://www.w3.org/2001/XMLSchema-instance"'
MESSAGES = set(NAMESPACES.values()) - {ATOM}
FILES = SchemaFiles(schema_path())

PIECES = """
 |x|<id/>|<entry/>|<author/>|<id> a </id>|<x/>|<y xmlns="urn:y"/>|<y xmlns=""/>|<_/>|<source/><source/>
<updated>2025-01-01T00:00:00Z</updated>|<updated>0000-01-01T00:00:00Z</updated>|<updated>2025-02-29T00:00:00</updated>
<updated>12024-02-29T24:00:00.000+14:00</updated>|<updated>2025-01-01T00:00:00+14:01</updated>
<updated>-2025-01-01T00:00:00.</updated>|<updated>2025-01-01T00:00:60</updated>|<updated>02025-01-01T00:00:00</updated>
<category term=""/>|<category term=""> </category>|<category/>|<category term=""><id/></category>
<link href=" x "> x </link>|<link href="x"><id/></link>|<link href="x" length=" +5 " hreflang="en"/>
<link href="x" length="0"/>|<link href="["/>|<link href="x" hreflang="e n"/>
<icon> http://x </icon>|<icon>a[</icon>|<generator uri="a" version=" "> x</generator>|<generator term=""/>
<title type=" html ">a</title>|<title type="xml"/>|<title xml:space="default" xml:lang=" en " xml:base=" x "/>
<title xml:space="x">a</title>|<title xml:lang="">a</title>|<title foo="x">a</title>|<title f:x="x" xmlns:f="urn:f"/>
<title><p xmlns="http://www.w3.org/1999/xhtml"/></title>|<author><name xml:lang="en"/></author>
<author><email>a@b.c</email></author>|<author><email>a_b@b.c</email></author>|<author><email>a@b</email></author>
<author><email> a@b.c</email></author>|<author><uri>a b</uri><name> </name></author>|<author>x</author>
<e:ServiceStatus/>|<e:ServiceStatus><e:currentStatus> +1 </e:currentStatus></e:ServiceStatus>
<e:ServiceStatus><e:currentStatus>65536</e:currentStatus></e:ServiceStatus>|<e:LineItem/>
<e:UsagePoint><e:roleFlags> aF </e:roleFlags></e:UsagePoint>
<e:UsagePoint><e:roleFlags>aFaFa</e:roleFlags></e:UsagePoint>
<e:UsagePoint a="1"/>|<e:UsagePoint xml:lang="en"/>|<e:UsagePoint>x</e:UsagePoint>|<e:UsagePoint x:nil="false"/>
<e:UsagePoint x:schemaLocation="a"/>|<e:UsagePoint><e:status>256</e:status></e:UsagePoint>
<e:UsagePoint><e:status>1</e:status><e:roleFlags/></e:UsagePoint>
<e:UsagePoint><e:status>1<b/></e:status></e:UsagePoint>
<e:ReadingType><e:argument><e:denominator><z/></e:denominator></e:argument></e:ReadingType>
<e:IntervalReading><e:value> -140737488355329 </e:value></e:IntervalReading>
<e:IntervalReading><e:value/></e:IntervalReading>
<e:IntervalReading><e:value>-140737488355328</e:value></e:IntervalReading>|<e:UsagePoint/><e:UsagePoint/>
<e:Object><e:extension a="true">x<b/>y</e:extension></e:Object>|<e:Object><e:extension x:nil="true"/></e:Object>
<e:Object><e:extension><e:UsagePoint>x</e:UsagePoint></e:extension></e:Object>
<entry><content type="x" src=" a ">a<e:UsagePoint/>b<e:UsagePoint/></content></entry>
<entry><content><id/></content></entry>
<entry><entry/></entry>|<entry><published>2025-01-01T00:00:00Z</published></entry>
"""


def _document(feed: str) -> bytes:
    return f"{REPORT[:START]}<oadr:oadrGBPayload>{feed}</oadr:oadrGBPayload>{REPORT[END + 25 :]}".encode()


def _judge(document: bytes, is_valid: Callable[[bytes], bool]) -> None:
    if not is_valid(document):
        with pytest.raises(RemoteError) as caught:
            decode(document)
        assert "oadrGBPayload[1]/feed" in caught.value.path
        assert caught.value.line
        return
    written = encode(decode(document).payload)
    assert is_valid(written)
    assert etree.tostring(etree.fromstring(written), method="c14n") == written
    assert squashed(meaning(message_of(written))) == squashed(meaning(message_of(document)))


@pytest.mark.parametrize("piece", PIECES.strip("\n").replace("\n", "|").split("|"))
def test_feed_is_judged_as_a_validator_does(piece: str, is_valid: Callable[[bytes], bool]) -> None:
    _judge(_document(f"<feed {NAMES}>{piece}</feed>"), is_valid)


@settings(max_examples=2 * settings.default.max_examples)
@given(data=st.data())
def test_changed_feed_is_judged_as_a_validator_does(data: st.DataObject, is_valid: Callable[[bytes], bool]) -> None:
    feed = data.draw(st.composite(FILES.global_element)((ATOM, "feed")))
    original = Manner(prefixes="everywhere").write(feed)
    changed = data.draw(mutations(st.just(original), most=2))
    try:
        root = etree.fromstring(changed)
    except etree.XMLSyntaxError:
        return
    # Parts of messages in a feed are refused even where the schema would let them pass.
    if root.tag == f"{{{ATOM}}}feed" and not any(uri.encode() in changed for uri in MESSAGES):
        _judge(_document(changed.decode()), is_valid)


def test_schema_location_in_a_feed_is_kept_and_named() -> None:
    feed = f'<feed {NAMES} x:schemaLocation="http://naesb.org/espi espi.xsd"/>'
    envelope = decode(_document(feed))
    assert [deviation.rule for deviation in envelope.deviations] == ["R45"]
    assert b"xsi:schemaLocation" in encode(envelope.payload)


def test_feed_that_the_schema_does_not_allow_is_not_written() -> None:
    payload = decode(_document(f"<feed {NAMES}/>")).payload
    with pytest.raises(LocalError) as caught:
        encode(_with_feed(payload, f"<atom:feed xmlns:atom='{ATOM}'><atom:category/></atom:feed>"))
    assert caught.value.path.endswith("stream_payload_base[0]/feed")
    assert "category" in str(caught.value)


def _with_feed(payload: Payload, feed: str) -> Payload:
    assert isinstance(payload, UpdateReport)
    report, *others = payload.oadr_report
    interval = attrs.evolve(report.intervals[0], stream_payload_base=[GBPayload(feed=feed)])
    return attrs.evolve(payload, oadr_report=[attrs.evolve(report, intervals=[interval]), *others])
