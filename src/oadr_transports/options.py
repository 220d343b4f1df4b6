"""The client's options, checked when they are given: what is wrong is said at once, and what was expected.

It stands alone because none of it is about running.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from oadr_core import LocalError
from oadr_core.errors import shown
from oadr_core.model import Duration, EiTarget, OptReason, OptType, Properties
from oadr_core.model.declare import fields_of
from oadr_core.security import normal_fingerprint
from oadr_core.ven import MakeOpt, ReportBuffer, SignalSupport

from .given import is_file, path_of
from .own import OwnCertificate

if TYPE_CHECKING:
    from oadr_core.security import Signer, Trust

    from .stores import Store

_BLANKS: Final = re.compile(r"[\x00-\x20\x7f-\xa0]")


def checked_url(url: str, path: str = "vtn_url") -> str:
    """A base URL with its scheme in small letters, by which TLS is chosen, and without a slash at its end."""
    if not _is_url(url):
        text = f"a URL such as https://vtn.example/OpenADR2/Simple/2.0b is expected, not {shown(url)}"
        raise LocalError(text, path=path)
    scheme, _, rest = url.partition(":")
    return f"{scheme.lower()}:{rest}".rstrip("/")


def _is_url(url: Any) -> bool:
    if not isinstance(url, str) or _BLANKS.search(url):  # which readers of URLs drop, each in its own way
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != -1
    except ValueError:  # a port that is no number or too large, half an IPv6 address
        return False


def with_port(url: str | None, port: int | None) -> str | None:
    """The URL with a port in the place of port 0: that which was free."""
    if url is None or port is None or urlsplit(url).port != 0:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.removesuffix('0')}{port}").geturl()


def checked_files(cert: Any, key: Any, ca_file: Any) -> dict[str, str | None]:
    """The paths of certificate, key and authorities as text; each must be a file that is there."""
    given = {"cert": cert, "key": key, "ca_file": ca_file}
    found = {name: None if path is None else _existing(path, name) for name, path in given.items()}
    if (cert is None) != (key is None):
        raise LocalError("cert and key belong together: give both or neither", path="key" if key is None else "cert")
    return found


def _existing(path: Any, name: str) -> str:
    text = path_of(path, name)
    if not is_file(text):
        raise FileNotFoundError(f"{name}: there is no file {text!r}")
    return text


def signer_of(files: dict[str, str | None], passphrase: str | bytes | None) -> Signer:
    """The signer made of the files of a certificate and its key."""
    from oadr_core.security import Signer

    cert, key = Path(files["cert"] or ""), Path(files["key"] or "")
    return Signer.from_pem(cert.read_bytes(), key.read_bytes(), passphrase)


def own_certificate(files: dict[str, str | None]) -> OwnCertificate | None:
    """Our own certificate, if there is one."""
    if files["cert"] is None:
        return None
    try:
        return OwnCertificate(Path(files["cert"]).read_bytes())
    except LocalError as error:
        raise LocalError(f"{files['cert']!r}: {error.text}", path="cert") from None


def checked_fingerprints(vtn_fingerprint: Any) -> tuple[str, ...]:
    """The fingerprints of a VTN, in normal form; it may have one certificate for each kind of key."""
    given = (vtn_fingerprint,) if isinstance(vtn_fingerprint, str) else vtn_fingerprint or ()
    if not isinstance(given, Iterable) or not all(isinstance(each, str) for each in given):
        text = f"a fingerprint such as AA:BB:…, or a list of them, is expected, not {shown(given)}"
        raise LocalError(text, path="vtn_fingerprint")
    try:
        return tuple(normal_fingerprint(each) for each in given)
    except LocalError as error:
        raise LocalError(error.text, path="vtn_fingerprint") from None


def trust_of(fingerprints: tuple[str, ...]) -> Trust | None:
    """Trust in one VTN, by its fingerprints; without one, its signatures are not looked at."""
    if not fingerprints:
        return None
    from oadr_core.security import Trust

    return Trust(fingerprints=fingerprints)


def checked_opt(opt: str) -> OptType:
    """An opt as written by people."""
    try:
        return OptType(opt)
    except ValueError:
        raise LocalError(f"'optIn' or 'optOut' is expected, not {opt!r}", path="opt_type") from None


def checked_words(words: Iterable[str] | None, path: str) -> tuple[str, ...] | None:
    """Several texts; one text alone is a mistake that would be taken for its letters."""
    if words is None:
        return None
    if isinstance(words, str):
        raise LocalError(f"a list of texts is expected, not {words!r}", path=path)
    return tuple(words)


def checked_signals(names: Iterable[str] | None) -> tuple[SignalSupport, ...] | None:
    """Names of signals as what a VEN supports."""
    words = checked_words(names, "signals")
    return None if words is None else tuple(SignalSupport(signal_name=word) for word in words)


def checked_targets(targets: Mapping[str, Iterable[str]] | None, path: str = "targets") -> EiTarget | None:
    """Targets as a frozen object, from a dict such as ``{"resource_id": ["boiler"]}``."""
    if targets is None:
        return None
    kinds = [field.name for field in fields_of(EiTarget)]
    unknown = [kind for kind in targets if kind not in kinds]
    if unknown:
        raise LocalError(f"one of {', '.join(kinds)} is expected, not {unknown[0]!r}", path=path)
    return EiTarget(**{kind: checked_words(values, f"{path}/{kind}") for kind, values in targets.items()})  # type: ignore[arg-type]  # the names are those of its fields


def checked_buffer(buffer: ReportBuffer | None) -> ReportBuffer:
    """How much waits while the VTN is away; the default where nothing is said."""
    given: object = buffer  # annotations do not bind a caller
    if given is None or isinstance(given, ReportBuffer):
        return given or ReportBuffer()
    raise LocalError(f"a ReportBuffer is expected, not {shown(given)}", path="report_buffer")


def make_opt(
    opt_type: str,
    event_id: str | None,
    schedule: Iterable[tuple[datetime, timedelta]],
    opt_reason: str | None,
    market_context: str | None,
    targets: Mapping[str, Iterable[str]] | None,
    device_classes: Iterable[str],
    opt_id: str,
) -> MakeOpt:
    """An opt in the words of the client as a command."""
    opt = checked_opt(opt_type)
    usual = OptReason.PARTICIPATING if opt is OptType.OPT_IN else OptReason.NOT_PARTICIPATING
    classes = checked_words(device_classes, "device_classes")
    return MakeOpt(
        opt_type=opt,
        event_id=event_id,
        availability=tuple(_period(start, length) for start, length in schedule),
        opt_reason=_reason(opt_reason) if opt_reason else (OptReason.X_SCHEDULE if event_id is None else usual),
        market_context=market_context,
        target=checked_targets(targets) or EiTarget(),
        device_class=EiTarget(end_device_asset=classes) if classes else None,
        opt_id=opt_id,
    )


def _period(start: datetime, length: timedelta) -> Properties:
    if start.tzinfo is None:
        raise LocalError(f"a datetime with a time zone is expected, not {start!r}", path="schedule")
    try:
        return Properties(dtstart=start, duration=Duration.of(length))
    except ValueError as error:
        raise LocalError(str(error), path="schedule") from None


def _reason(text: str) -> OptReason | str:
    return OptReason(text) if text in tuple(OptReason) else text


@contextmanager
def opened(state: Store | str | os.PathLike[str] | None) -> Iterator[Store | None]:
    """The store of a client for as long as it runs; a path is a database. A store that was given stays open."""
    if state is None or not isinstance(state, (str, os.PathLike)):
        yield state
        return
    from .stores import SqliteStore

    store = SqliteStore(state)
    try:
        yield store
    finally:
        store.close()
