"""Declarations to code that reads: one decoder per class of the model, written and compiled on first use.

It stands alone as one half of the generated code (the other is :mod:`._encoders`). What it generates is straight code
for elements that follow the schema exactly: it raises :class:`~._compile.Mismatch` or stumbles at the first surprise,
and says nothing about it. Finding out what is wrong, and whether it can be tolerated, is the work of :mod:`.examine`,
which is slow and walks the same declarations. The generated source can be read with :func:`decoder_source`.

Measured choices: indexing the list of children beats an iterator; a call per interval payload is felt, so what stands
in a repeated choice is written in line; many alternatives are looked up, few are compared.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final
from xml.etree.ElementTree import Element

from ..model.declare import Choice, FieldSpec, Kind, Opaque, Scalar, fields_of
from ..model.drafts import draft
from ..model.namespaces import expand
from . import opaque
from ._compile import Source, alternatives
from .convert import BLANK, converters
from .runs import RUNS, Run

Decoder = Callable[[Element], Any]
_FEW: Final = 3
"""Alternatives up to which comparing one after the other beats looking them up."""


class _End:
    """What stands after the last child: an element without a tag."""

    tag = None


_END: Final = _End()


@cache
def decoder(cls: type) -> Decoder:
    """The function that reads the content of an element into an object of ``cls``."""
    decode: Decoder = _source(cls).function()
    return decode


def decoder_source(cls: type) -> str:
    """The generated source of :func:`decoder`, for reading."""
    return _source(cls).text()


def _source(cls: type) -> Source:
    out = Source(f"decode_{cls.__name__}", "e")
    _content(out, 1, "e", cls, "o")
    out.add(1, "return o")
    return out


def _has_text(element: Element) -> bool:
    """True for text where an element without children stands for an empty list; elsewhere decode has looked for it."""
    return bool((element.text or "").strip(BLANK))


def _content(out: Source, depth: int, element: str, cls: type, target: str) -> None:
    """Read the children and attributes of an element into an object."""
    specs = fields_of(cls)
    values = {spec.name: out.fresh("v") for spec in specs}
    elements = [spec for spec in specs if not spec.attribute]
    if all(spec.minimum and not spec.repeated for spec in elements):
        _fixed_sequence(out, depth, element, elements, values)
    else:
        _sequence(out, depth, element, elements, values)
    for spec in specs:
        if spec.attribute and isinstance(spec.kind, Scalar):
            value, read = values[spec.name], out.bind(converters(spec.kind)[0], "read")
            out.add(depth, f"{value} = {element}.get({out.tag(spec.path[0])})")
            out.add(depth, f"if {value} is not None: {value} = {read}({value})")
    out.add(depth, f"{target} = {out.bind(draft(cls), 'Draft')}()")
    for name, value in values.items():
        out.add(depth, f"{target}.{name} = {value}")
    out.add(depth, f"{target}.__class__ = {out.bind(cls, 'C')}")


def _fixed_sequence(out: Source, depth: int, element: str, specs: list[FieldSpec], values: dict[str, str]) -> None:
    """Children of which each is there exactly once."""
    children = [out.fresh("c") for _ in specs]
    out.add(depth, f"{', '.join(children)}, = {element}")
    for spec, child in zip(specs, children, strict=True):
        if isinstance(spec.kind, Choice):
            _choice(out, depth, child, f"{child}.tag", spec.kind, values[spec.name], "raise Mismatch")
        else:
            out.add(depth, f"if {child}.tag != {out.tag(spec.path[0])}: raise Mismatch")
            _path(out, depth, child, spec.path[1:], spec.kind, values[spec.name])


def _sequence(out: Source, depth: int, element: str, specs: list[FieldSpec], values: dict[str, str]) -> None:
    """Children of which some may be missing or repeated: ``c`` is the current one, and ``t`` its tag."""
    k, n, c, t = (out.fresh(stem) for stem in "knct")
    out.add(depth, f"{k} = {element}[:]")
    out.add(depth, f"{k}.append({out.bind(_END, 'END')})")
    out.add(depth, f"{n} = 0")
    out.add(depth, f"{c} = {k}[0]; {t} = {c}.tag")
    if not any(spec.minimum for spec in specs):
        out.add(depth, f"if {t} is None and {out.bind(_has_text, 'has_text')}({element}): raise Mismatch")
    step = f"{n} += 1; {c} = {k}[{n}]; {t} = {c}.tag"
    for spec in specs:
        value = values[spec.name]
        if isinstance(spec.kind, Choice):
            if spec.repeated:
                _repeated_choice(out, depth, c, t, step, spec, value)
            else:
                _choice(out, depth, c, t, spec.kind, value, "raise Mismatch" if spec.minimum else f"{value} = None")
                out.add(depth, step if spec.minimum else f"if {value} is not None: {step}")
        elif spec.repeated:
            (_wrapped if spec.repeats else _repeated)(out, depth, c, t, step, spec, value)
        elif spec.minimum:
            out.add(depth, f"if {t} != {out.tag(spec.path[0])}: raise Mismatch")
            _path(out, depth, c, spec.path[1:], spec.kind, value)
            out.add(depth, step)
        else:
            out.add(depth, f"if {t} == {out.tag(spec.path[0])}:")
            _path(out, depth + 1, c, spec.path[1:], spec.kind, value)
            out.add(depth + 1, step)
            out.add(depth, f"else: {value} = None")
    out.add(depth, f"if {t} is not None: raise Mismatch")


def _path(out: Source, depth: int, element: str, path: tuple[str, ...], kind: Kind, target: str) -> None:
    """Descend through wrappers with exactly one child each, and read what the innermost element holds."""
    for number, name in enumerate(path):
        child = out.fresh("d")
        leaf = f" or len({child})" if number == len(path) - 1 and _may_be_empty(kind) else ""
        out.add(depth, f"{child} = {element}[0]")
        out.add(depth, f"if {child}.tag != {out.tag(name)} or len({element}) != 1{leaf}: raise Mismatch")
        element = child
    if isinstance(kind, Scalar):
        if not path and _may_be_empty(kind):
            out.add(depth, f"if len({element}): raise Mismatch")
        if kind.type == "string":
            out.add(depth, f'{target} = {element}.text or ""')
        else:
            out.add(depth, f"{target} = {out.bind(converters(kind)[0], 'read')}({element}.text)")
    elif isinstance(kind, Opaque):
        read = opaque.read_content if kind.content else opaque.read_element
        out.add(depth, f"{target} = {out.bind(read, 'read')}({element})")
    elif isinstance(kind, Choice):
        raise AssertionError("a choice has no path of its own")
    else:
        out.add(depth, f"{target} = {out.bind(decoder(kind), 'decode')}({element})")


def _may_be_empty(kind: Kind) -> bool:
    """True for text that may be blank: elements where text is expected must be looked for. Elsewhere the reader of
    the text finds it missing, and :func:`~oadr_core.wire.codec.decode` has seen to it that no element has both
    elements and text."""
    return isinstance(kind, Scalar) and kind.type in ("string", "anyURI", "fixed", "doubleList")


def _repeated(out: Source, depth: int, c: str, t: str, step: str, spec: FieldSpec, target: str) -> None:
    """The same element several times in a row."""
    item, tag = out.fresh("x"), out.tag(spec.path[0])
    empty = "raise Mismatch" if spec.minimum else f"{target} = ()"
    out.add(depth, f"if {t} == {tag}:")
    out.add(depth + 1, f"{target} = []")
    out.add(depth + 1, f"while {t} == {tag}:")
    _path(out, depth + 2, c, spec.path[1:], spec.kind, item)
    out.add(depth + 2, f"{target}.append({item})")
    out.add(depth + 2, step)
    out.add(depth + 1, f"{target} = tuple({target})")
    out.add(depth, f"else: {empty}")


def _wrapped(out: Source, depth: int, c: str, t: str, step: str, spec: FieldSpec, target: str) -> None:
    """Elements that repeat inside a wrapper."""
    item, child = out.fresh("x"), out.fresh("i")
    out.add(depth, f"if {t} == {out.tag(spec.path[0])}:")
    element = c
    for name in spec.path[1 : spec.repeats]:
        inner = out.fresh("w")
        out.add(depth + 1, f"{inner}, = {element}")
        out.add(depth + 1, f"if {inner}.tag != {out.tag(name)}: raise Mismatch")
        element = inner
    out.add(depth + 1, f"{target} = []")
    out.add(depth + 1, f"for {child} in {element}:")
    out.add(depth + 2, f"if {child}.tag != {out.tag(spec.path[spec.repeats])}: raise Mismatch")
    if isinstance(spec.kind, type) and spec.path[-2:] == RUNS:
        run, read = out.bind(Run, "Run"), out.bind(decoder(spec.kind), "decode")
        out.add(depth + 2, f"if {child}.__class__ is {run}: {target} += {child}.read({read}); continue")
    _path(out, depth + 2, child, spec.path[spec.repeats + 1 :], spec.kind, item)
    out.add(depth + 2, f"{target}.append({item})")
    stray = f" and {out.bind(_has_text, 'has_text')}({element})" if spec.wrapper else ""
    out.add(depth + 1, f"if not {target}{stray}: raise Mismatch")
    out.add(depth + 1, f"{target} = tuple({target})")
    out.add(depth + 1, step)
    absent = "raise Mismatch" if spec.minimum else f"{target} = {'None' if spec.wrapper else '()'}"
    out.add(depth, f"else: {absent}")


def _choice(out: Source, depth: int, element: str, tag: str, kind: Choice, target: str, otherwise: str) -> None:
    """One of several alternatives, or ``otherwise``."""
    choices = alternatives(kind)
    if len(choices) > _FEW:
        table = out.bind(
            {expand(path[0]): decoder(inner) for path, inner in choices if isinstance(inner, type)}, "table"
        )
        read = out.fresh("f")
        out.add(depth, f"{read} = {table}.get({tag})")
        out.add(depth, f"if {read} is None: {otherwise}")
        out.add(depth, f"else: {target} = {read}({element})")
        return
    keyword = "if"
    for path, inner in choices:
        out.add(depth, f"{keyword} {tag} == {out.tag(path[0])}:")
        _path(out, depth + 1, element, path[1:], inner, target)
        keyword = "elif"
    out.add(depth, f"else: {otherwise}")


def _repeated_choice(out: Source, depth: int, c: str, t: str, step: str, spec: FieldSpec, target: str) -> None:
    """One of several alternatives, several times in a row; each alternative is a class, read in line."""
    assert isinstance(spec.kind, Choice)
    item = out.fresh("x")
    out.add(depth, f"{target} = []")
    out.add(depth, "while True:")
    keyword = "if"
    for path, inner in alternatives(spec.kind):
        assert isinstance(inner, type)
        out.add(depth + 1, f"{keyword} {t} == {out.tag(path[0])}:")
        _content(out, depth + 2, c, inner, item)
        keyword = "elif"
    out.add(depth + 1, "else: break")
    out.add(depth + 1, f"{target}.append({item})")
    out.add(depth + 1, step)
    if spec.minimum:
        out.add(depth, f"if not {target}: raise Mismatch")
    out.add(depth, f"{target} = tuple({target})")
