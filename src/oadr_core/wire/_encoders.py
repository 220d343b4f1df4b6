"""Declarations to code that writes: one encoder per class of the model, written and compiled on first use.

It stands alone as the other half of the generated code (see :mod:`._decoders`). An encoder builds one f-string per
element and raises :class:`~._compile.Mismatch` or stumbles at the first value that cannot be written; :mod:`.explain`
names it. The generated source can be read with :func:`encoder_source`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ..model import NAMESPACES, Interval
from ..model.declare import Choice, FieldSpec, Kind, Opaque, Scalar, fields_of
from . import opaque
from ._compile import Source, alternatives
from .convert import converters
from .runs import RUNS
from .writing import Runs, write_run

Encoder = Callable[[Any, Runs], str]
"""Takes an object, and a list to which it adds the text of each long run of intervals; a mark stands in its place."""
AttributeWriter = Callable[[Any], str]


@cache
def encoder(cls: type) -> Encoder:
    """The function that writes the content of an element from an object of ``cls``."""
    encode: Encoder = _source(cls).function()
    return encode


@cache
def attribute_writer(cls: type) -> AttributeWriter | None:
    """The function that writes the attributes of an element from an object of ``cls``; ``None`` if it can have none."""
    specs = [spec for spec in fields_of(cls) if spec.attribute]
    if not specs:
        return None
    out = Source(f"attributes_{cls.__name__}", "o")
    for spec in specs:
        assert isinstance(spec.kind, Scalar)
        write = out.bind(converters(spec.kind)[1], "write")
        text = f"f' {spec.path[0]}=\"{{{write}(o.{spec.name})}}\"'"
        out.add(1, f"a_{spec.name} = '' if o.{spec.name} is None else {text}")
    out.add(1, "return " + " + ".join(f"a_{spec.name}" for spec in specs))
    write_attributes: AttributeWriter = out.function()
    return write_attributes


@cache
def declarations(cls: type) -> str:
    """The declarations of all namespaces that an element of ``cls`` can need, foreign XML apart, in canonical order.

    Which of them a document does need would cost as much to find out as a third of writing it.
    """
    prefixes = {"oadr"} | _prefixes(cls)
    return "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items() if prefix in prefixes)


@cache
def _prefixes(kind: Kind) -> frozenset[str]:
    if isinstance(kind, Choice):
        return frozenset().union(*(_path_prefixes(path) | _prefixes(inner) for path, inner in alternatives(kind)))
    if isinstance(kind, type):
        return frozenset().union(*(_path_prefixes(spec.path) | _prefixes(spec.kind) for spec in fields_of(kind)))
    return frozenset()


def _path_prefixes(path: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.partition(":")[0] for name in path)


def encoder_source(cls: type) -> str:
    """The generated source of :func:`encoder`, for reading."""
    return _source(cls).text()


def _source(cls: type) -> Source:
    out = Source(f"encode_{cls.__name__}", "o, runs")
    out.add(1, f"return f'{_content(out, 1, 'o', cls)}'")
    return out


def _content(out: Source, depth: int, value: str, cls: type) -> str:
    """Write the lines that prepare the fields of an object; return the inside of the f-string for its element."""
    return "".join(_field(out, depth, value, spec) for spec in fields_of(cls) if not spec.attribute)


def _field(out: Source, depth: int, owner: str, spec: FieldSpec) -> str:
    """Write the lines that prepare a field; return its part of the f-string."""
    value, piece = out.fresh("v"), out.fresh("s")
    out.add(depth, f"{value} = {owner}.{spec.name}")
    if spec.repeated:
        _repeated(out, depth, spec, value, piece)
        return f"{{{piece}}}"
    if isinstance(spec.kind, Choice):
        if not spec.minimum:
            out.add(depth, f"if {value} is None: {piece} = ''")
        _choice(out, depth, spec.kind, value, piece, "if" if spec.minimum else "elif")
        return f"{{{piece}}}"
    whole = isinstance(spec.kind, Opaque) and not spec.kind.content
    before, after = _tags(spec.path[:-1] if whole else spec.path, _attributes(out, spec.kind, value))
    if isinstance(spec.kind, type):
        absent = "" if spec.minimum else f" and {value} is not None"
        out.add(depth, f"if type({value}) is not {out.bind(spec.kind, 'C')}{absent}: raise Mismatch")
    expression = f"{before}{{{_expression(out, spec.kind, value, spec.path)}}}{after}"
    if spec.minimum:
        return expression
    out.add(depth, f"{piece} = '' if {value} is None else f'{expression}'")
    return f"{{{piece}}}"


def _tags(path: tuple[str, ...], attributes: str = "") -> tuple[str, str]:
    before = "".join(f"<{name}>" for name in path)
    return f"{before[:-1]}{attributes}>" if attributes else before, "".join(f"</{name}>" for name in reversed(path))


def _attributes(out: Source, kind: Kind, value: str) -> str:
    """An expression in braces for the attributes of the innermost element, if it can have any."""
    write: AttributeWriter | None = None
    if isinstance(kind, Opaque):
        write = opaque.write_attributes if kind.content else None
    elif isinstance(kind, type):
        write = attribute_writer(kind)
    return f"{{{out.bind(write, 'attributes')}({value})}}" if write else ""


def _expression(out: Source, kind: Kind, value: str, path: tuple[str, ...]) -> str:
    """An expression, without quotes or braces in it, for the content of the innermost element."""
    if isinstance(kind, Scalar):
        write = f"{out.bind(converters(kind)[1], 'write')}({value})"
        if kind.type == "string":  # letters and digits need no escape; asking is cheaper than searching
            return f"{value} if type({value}) is str and {value}.isalnum() else {write}"
        return write
    if isinstance(kind, Opaque):
        if kind.content:
            return f"{out.bind(opaque.write_content, 'write')}({value})"
        return f"{out.bind(opaque.write_element, 'write')}({value}, {out.bind(path[-1], 'N')})"
    if isinstance(kind, Choice):
        raise AssertionError("a choice is written by _choice")
    return f"{out.bind(encoder(kind), 'encode')}({value}, runs)"


def _choice(out: Source, depth: int, kind: Choice, value: str, piece: str, keyword: str, inline: bool = False) -> None:
    """One of several alternatives, told apart by the type of the value."""
    for path, inner in alternatives(kind):
        before, after = _tags(path)
        if isinstance(inner, Scalar):
            out.add(depth, f"{keyword} isinstance({value}, (int, float)):")
        else:
            assert isinstance(inner, type)
            out.add(depth, f"{keyword} type({value}) is {out.bind(inner, 'C')}:")
        if inline and isinstance(inner, type):
            content = _content(out, depth + 1, value, inner)
        else:
            content = f"{{{_expression(out, inner, value, path)}}}"
        out.add(depth + 1, f"{piece} = f'{before}{content}{after}'")
        keyword = "elif"
    out.add(depth, "else: raise Mismatch")


def _joined(out: Source, spec: FieldSpec, items: str) -> str:
    """An expression for all elements of a list."""
    if spec.path == RUNS:
        encode = out.bind(encoder(Interval), "encode")
        return f"{out.bind(write_run, 'write_run')}('{spec.path[-1]}', {items}, {encode}, runs)"
    before, after = _tags(spec.path[spec.repeats :], _attributes(out, spec.kind, "x"))
    content = _expression(out, spec.kind, "x", spec.path)
    return f"''.join([f'{before}{{{content}}}{after}' for x in {items}])"


def _repeated(out: Source, depth: int, spec: FieldSpec, value: str, piece: str) -> None:
    outer_before, outer_after = _tags(spec.path[: spec.repeats])
    optional = spec.wrapper and not spec.minimum
    if optional:
        out.add(depth, f"if {value} is not None and type({value}) is not tuple: raise Mismatch")
    else:
        out.add(depth, f"if type({value}) is not tuple: raise Mismatch")
    if spec.minimum and not spec.wrapper:
        out.add(depth, f"if not {value}: raise Mismatch")
    items = f"{value} or ()" if optional else value
    if isinstance(spec.kind, Choice):
        item, text = out.fresh("x"), out.fresh("y")
        out.add(depth, f"{piece} = ''")
        out.add(depth, f"for {item} in {items}:")
        _choice(out, depth + 1, spec.kind, item, text, "if", inline=True)
        out.add(depth + 1, f"{piece} += {text}")
        return
    if isinstance(spec.kind, type):
        out.add(depth, f"for x in {items}:")
        out.add(depth + 1, f"if type(x) is not {out.bind(spec.kind, 'C')}: raise Mismatch")
    joined = _joined(out, spec, items)
    if not outer_before:
        out.add(depth, f"{piece} = {joined} if {value} else ''")
    elif spec.wrapper and spec.minimum:
        out.add(depth, f"{piece} = '{outer_before}' + {joined} + '{outer_after}'")
    else:
        absent = f"{value} is None" if spec.wrapper else f"not {value}"
        out.add(depth, f"{piece} = '' if {absent} else '{outer_before}' + {joined} + '{outer_after}'")
