"""Replays and wrong clocks, from the bytes on: a message is delivered once, and only near the time of its signing."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import pytest

from oadr_core import security as s
from oadr_core.model import Payload
from oadr_core.security import ReplayGuard, SignedEnvelope, Style, Window, open_envelope
from tests.core.security import forge as f
from tests.core.security.kit import KINDS, NOW, POLL, STYLES, refused, sealed, trust

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class Receiver:
    """What a session does with signed bytes: verify, then ask the guard of the peer, then deliver."""

    def __init__(self, window: Window | None = None) -> None:
        self.window = window or Window()
        self.guard = ReplayGuard(window=self.window)
        self.delivered: list[Payload] = []

    def receive(self, data: bytes, now: datetime) -> None:
        opened = open_envelope(data, trust=trust("rsa", "ec", window=self.window), now=now)
        assert isinstance(opened, SignedEnvelope)
        self.guard = self.guard.accept(opened.timestamp, opened.nonce, now=now)
        self.delivered.append(opened.payload)

    def restart(self) -> None:
        self.guard = ReplayGuard.from_json(json.loads(json.dumps(self.guard.to_json())), window=self.window)

    def refuses(self, data: bytes, now: datetime, *kinds: type[s.SignatureError]) -> None:
        """Assert that nothing is delivered and nothing is remembered."""
        before, count = self.guard, len(self.delivered)
        with pytest.raises(kinds):
            self.receive(data, now)
        assert self.guard == before
        assert len(self.delivered) == count


@pytest.mark.rule("R514")
@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", KINDS)
def test_a_message_is_delivered_once(name: str, style: Style, restart: bool) -> None:
    receiver, data = Receiver(), sealed(name, style)
    receiver.receive(data, NOW)
    for later in (timedelta(0), SECOND, 5 * MINUTE, -5 * MINUTE):
        if restart:
            receiver.restart()
        receiver.refuses(data, NOW + later, s.Replayed)
    for later in (6 * MINUTE, HOUR, -6 * MINUTE, -HOUR):
        receiver.refuses(data, NOW + later, s.Stale, s.FromTheFuture)
    assert receiver.delivered == [POLL]


def test_other_spellings_of_a_message_are_replays_too() -> None:
    receiver, data = Receiver(), sealed("rsa")
    receiver.receive(data, NOW)
    wrapped = re.sub(rb"(<ds:SignatureValue>.{40})", rb"\1\n", data)
    for again in (wrapped, data.replace(b"<ds:Object ", b"<ds:Object  "), b"<!-- 2 -->" + data, data + b"\n"):
        assert again != data
        receiver.refuses(again, NOW + SECOND, s.Replayed)


def test_second_valid_value_of_the_same_ecdsa_signature_is_a_replay() -> None:
    """Whoever has r and s has r and n - s, without the key."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def mirrored(data: bytes) -> bytes:
        value = f.honest("ec")(data)
        r, other = value[:32], order - int.from_bytes(value[32:])
        return r + other.to_bytes(32)

    receiver = Receiver()
    receiver.receive(f.forge("ec"), NOW)
    receiver.refuses(f.forge("ec", sign=mirrored), NOW, s.Replayed)


def test_same_property_around_another_message_is_a_replay() -> None:
    receiver = Receiver()
    receiver.receive(f.forge(), NOW)
    receiver.refuses(f.forge(message=f.object_of(f.FORGED)), NOW, s.Replayed)
    receiver.refuses(f.forge(references=(f.ENVELOPED_REF, f.PROPERTY_REF), last=True), NOW, s.Replayed)


@pytest.mark.rule("R514")
@pytest.mark.parametrize("restart", [False, True])
def test_receiver_whose_clock_is_set_back_takes_nothing_again(restart: bool) -> None:
    receiver = Receiver()
    sent = [(sealed("ec", now=NOW + n * MINUTE, nonce=f"n{n}"), NOW + n * MINUTE) for n in range(30)]
    for data, at in sent:
        receiver.receive(data, at)
    if restart:
        receiver.restart()
    for data, at in sent:
        receiver.refuses(data, at, s.Replayed)
    assert len(receiver.delivered) == 30


def test_receiver_whose_clock_jumped_ahead_and_came_back() -> None:
    receiver = Receiver()
    receiver.receive(sealed("ec", nonce="one"), NOW)
    receiver.refuses(sealed("ec", nonce="two"), NOW + 24 * HOUR, s.Stale)
    receiver.receive(sealed("ec", nonce="two"), NOW)
    assert len(receiver.delivered) == 2


def test_sender_whose_clock_is_ahead_within_the_window_is_remembered_until_it_leaves_it() -> None:
    receiver, data = Receiver(), sealed("ec", now=NOW + 4 * MINUTE)
    receiver.receive(data, NOW)
    for minute in range(10):
        other = sealed("ec", now=NOW + minute * MINUTE, nonce=f"n{minute}")
        receiver.receive(other, NOW + minute * MINUTE)
        receiver.refuses(data, NOW + minute * MINUTE, s.Replayed)
    receiver.refuses(data, NOW + 10 * MINUTE, s.Stale)


def test_memory_is_bounded_by_the_window() -> None:
    receiver = Receiver(Window(30 * SECOND, 30 * SECOND))
    for second in range(200):
        at = NOW + second * SECOND
        receiver.receive(sealed("ec", now=at, nonce=f"n{second}"), at)
        assert len(receiver.guard.seen) <= 31


@pytest.mark.rule("R514")
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("2030-06-01T11:55:00Z", s.Stale),
        ("2030-06-01T11:00:00Z", s.Stale),
        ("2029-06-01T12:00:00Z", s.Stale),
        ("1970-01-01T00:00:00Z", s.Stale),
        ("0001-01-01T00:00:00Z", s.Stale),
        ("2030-06-01T12:00:00+02:00", s.Stale),
        ("2030-06-01T12:05:01Z", s.FromTheFuture),
        ("2030-06-01T13:00:00Z", s.FromTheFuture),
        ("2030-06-01T12:00:00-02:00", s.FromTheFuture),
        ("2106-02-07T06:28:16Z", s.FromTheFuture),
        ("9999-12-31T23:59:59.999999Z", s.FromTheFuture),
        ("9999-12-31T23:59:59-23:59", s.ReplayProtectMissing),
        ("0001-01-01T00:00:00+00:01", s.ReplayProtectMissing),
        ("0000-01-01T00:00:00Z", s.ReplayProtectMissing),
        ("-2030-06-01T12:00:00Z", s.ReplayProtectMissing),
        ("12030-06-01T12:00:00Z", s.ReplayProtectMissing),
        ("2030-06-01T12:00:00", s.ReplayProtectMissing),
        ("2030-06-01T12:00Z", s.ReplayProtectMissing),
        ("2030-06-01", s.ReplayProtectMissing),
        ("2030-06-01 12:00:00Z", s.ReplayProtectMissing),
        ("20300601T120000Z", s.ReplayProtectMissing),
        ("2030-W22-6T12:00:00Z", s.ReplayProtectMissing),
        ("2030-02-30T12:00:00Z", s.ReplayProtectMissing),
        ("2030-06-01T12:00:60Z", s.ReplayProtectMissing),
        ("2030-06-01T12:60:00Z", s.ReplayProtectMissing),
        ("2030-06-01T12:00:00z", s.ReplayProtectMissing),
        ("2030-06-01T12:00:00+0000", s.ReplayProtectMissing),
        ("2030-06-01T12:00:00+24:00", s.ReplayProtectMissing),
        ("2030-06-01T12:00:00.Z", s.ReplayProtectMissing),
        (f"2030-06-01T12:00:00.{1000 * '0'}Z", s.ReplayProtectMissing),
        ("２０３０-06-01T12:00:00Z", s.ReplayProtectMissing),
        ("2030-06-01T12:00:00Z 2030-06-01T12:00:00Z", s.ReplayProtectMissing),
        ("1906545600", s.ReplayProtectMissing),
        ("PT0S", s.ReplayProtectMissing),
        ("NaN", s.ReplayProtectMissing),
        ("", s.ReplayProtectMissing),
    ],
)
def test_timestamps_that_are_wrong_or_none(text: str, kind: type[s.SignatureError]) -> None:
    error = refused(f.forge(objects=f.PROPERTY.replace("2030-06-01T12:00:00Z", text)), kind)
    assert error.rule == "R514"


@pytest.mark.parametrize("nonce", ["", "n" * 257, "n" * 1_000_000])
def test_nonces_that_are_none_or_too_long_to_remember(nonce: str) -> None:
    refused(f.forge(objects=f.PROPERTY.replace("0123456789abcdef", nonce)), s.ReplayProtectMissing)


@pytest.mark.parametrize("nonce", ["n", "n" * 256, " ", "a b", "ä😀", "&lt;x&gt;"])
def test_nonces_are_any_other_text(nonce: str) -> None:
    receiver, data = Receiver(), f.forge(objects=f.PROPERTY.replace("0123456789abcdef", nonce))
    receiver.receive(data, NOW)
    receiver.restart()
    receiver.refuses(data, NOW, s.Replayed)
