"""Declarations to code: one decoder and one encoder per class of the model, written and compiled on first use.

It stands alone because it is the only place of the project that executes generated source. What it generates is straight
code for the documents that follow the schema exactly: it raises :class:`Mismatch` at the first surprise and says nothing
about it. Finding out what is wrong, and whether it can be tolerated, is the work of :mod:`.examine`, which is slow and
walks the same declarations. The generated source can be read with :func:`decoder_source` and :func:`encoder_source`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final
from xml.etree.ElementTree import Element

from ..model.declare import Choice, FieldSpec, Kind, Opaque, Scalar, fields_of
from ..model.namespaces import expand
from . import opaque
from .convert import converters

Decoder = Callable[[Element], Any]
Encoder = Callable[[Any], str]


class Mismatch(Exception):
    """The document or the value is not what the declarations say; :mod:`.examine` knows more."""


class _End:
    """What stands after the last child: an element without a tag."""

    tag = None


_END: Final = _End()


@cache
def decoder(cls: type) -> Decoder:
    """The function that reads the content of an element into an object of ``cls``."""
    source, names = _decoder(cls)
    return _build(source, names, f"decode_{cls.__name__}")


@cache
def attribute_writer(cls: type) -> Encoder | None:
    """The function that writes the attributes of an element from an object of ``cls``; ``None`` if it can have none."""
    specs = [spec for spec in fields_of(cls) if spec.attribute]
    if not specs:
        return None
    out = _Writer(f"def attributes_{cls.__name__}(o):")
    for spec in specs:
        assert isinstance(spec.kind, Scalar)
        write = out.bind(converters(spec.kind)[1], "write")
        text = f"f' {spec.path[0]}=\"{{{write}(o.{spec.name})}}\"'"
        out.add(1, f"a_{spec.name} = '' if o.{spec.name} is None else {text}")
    out.add(1, "return " + " + ".join(f"a_{spec.name}" for spec in specs))
    write_attributes: Encoder = _build(*out.result(), f"attributes_{cls.__name__}")
    return write_attributes


@cache
def encoder(cls: type) -> Encoder:
    """The function that writes the content of an element from an object of ``cls``."""
    source, names = _encoder(cls)
    return _build(source, names, f"encode_{cls.__name__}")


def decoder_source(cls: type) -> str:
    """The generated source of :func:`decoder`, for reading."""
    return _decoder(cls)[0]


def encoder_source(cls: type) -> str:
    """The generated source of :func:`encoder`, for reading."""
    return _encoder(cls)[0]


def alternatives(kind: Choice) -> tuple[tuple[tuple[str, ...], Kind], ...]:
    """The paths and kinds of a choice."""
    return tuple((tuple(path.split("/")), inner) for path, inner in kind.alternatives)


def _build(source: str, names: dict[str, Any], function: str) -> Any:
    exec(compile(source, f"<oadr_core.wire: {function}>", "exec"), names)
    return names[function]


class _Writer:
    """Lines of a function, and the objects that its global names stand for."""

    def __init__(self, head: str) -> None:
        self.lines = [head]
        self.names: dict[str, Any] = {"Mismatch": Mismatch, "END": _END}

    def add(self, depth: int, line: str) -> None:
        self.lines.append("    " * depth + line)

    def bind(self, value: Any, stem: str) -> str:
        """A global name for ``value``."""
        for name, known in self.names.items():
            if known is value or (isinstance(value, str) and known == value):
                return name
        name = f"{stem}{len(self.names)}"
        self.names[name] = value
        return name

    def tag(self, name: str) -> str:
        return self.bind(expand(name), "T")

    def result(self) -> tuple[str, dict[str, Any]]:
        return "\n".join(self.lines) + "\n", self.names


# --- decoding -------------------------------------------------------------------------------------------------------


def _decoder(cls: type) -> tuple[str, dict[str, Any]]:
    out = _Writer(f"def decode_{cls.__name__}(e):")
    elements = [spec for spec in fields_of(cls) if not spec.attribute]
    out.add(1, "it = iter(e)")
    out.add(1, "c = next(it, END)")
    for spec in elements:
        _decode_field(out, spec)
    out.add(1, "if c is not END: raise Mismatch")
    values = {spec.name: f"v_{spec.name}" for spec in elements}
    for spec in fields_of(cls):
        if spec.attribute and isinstance(spec.kind, Scalar):
            key, read = out.bind(expand(spec.path[0]), "T"), out.bind(converters(spec.kind)[0], "read")
            out.add(1, f"a = e.get({key})")
            values[spec.name] = f"None if a is None else {read}(a)"
    # Straight into the slots: the values are of the right types already, so __init__ and its converters are spared.
    out.add(1, f"o = {out.bind(object.__new__, 'new')}({out.bind(cls, 'C')})")
    for name, value in values.items():
        out.add(1, f"{out.bind(getattr(cls, name).__set__, 'set')}(o, {value})")
    out.add(1, "return o")
    return out.result()


def _decode_field(out: _Writer, spec: FieldSpec) -> None:
    target = f"v_{spec.name}"
    if isinstance(spec.kind, Choice):
        _decode_choice(out, spec, spec.kind, target)
    elif spec.repeated:
        _decode_repeated(out, spec, target)
    else:
        tag = out.tag(spec.path[0])
        if spec.minimum:
            out.add(1, f"if c.tag != {tag}: raise Mismatch")
            _decode_path(out, 1, "c", spec.path[1:], spec.kind, target)
            out.add(1, "c = next(it, END)")
        else:
            out.add(1, f"if c.tag == {tag}:")
            _decode_path(out, 2, "c", spec.path[1:], spec.kind, target)
            out.add(2, "c = next(it, END)")
            out.add(1, f"else: {target} = None")


def _decode_path(out: _Writer, depth: int, element: str, path: tuple[str, ...], kind: Kind, target: str) -> None:
    """Descend through wrappers with exactly one child each, and read what the innermost element holds."""
    for step, name in enumerate(path):
        out.add(depth, f"d{step}, = {element}")
        element = f"d{step}"
        out.add(depth, f"if {element}.tag != {out.tag(name)}: raise Mismatch")
    if isinstance(kind, Scalar):
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


def _decode_repeated(out: _Writer, spec: FieldSpec, target: str) -> None:
    outer, tag, inner = spec.path[: spec.repeats], out.tag(spec.path[spec.repeats]), spec.path[spec.repeats + 1 :]
    out.add(1, f"{target} = []")
    if not outer:
        out.add(1, f"while c.tag == {tag}:")
        _decode_path(out, 2, "c", inner, spec.kind, "x")
        out.add(2, f"{target}.append(x)")
        out.add(2, "c = next(it, END)")
        if spec.minimum:
            out.add(1, f"if not {target}: raise Mismatch")
        out.add(1, f"{target} = tuple({target})")
        return
    out.add(1, f"if c.tag == {out.tag(outer[0])}:")
    element = "c"
    for step, name in enumerate(outer[1:]):
        out.add(2, f"w{step}, = {element}")
        element = f"w{step}"
        out.add(2, f"if {element}.tag != {out.tag(name)}: raise Mismatch")
    out.add(2, f"for i in {element}:")
    out.add(3, f"if i.tag != {tag}: raise Mismatch")
    _decode_path(out, 3, "i", inner, spec.kind, "x")
    out.add(3, f"{target}.append(x)")
    if not spec.wrapper:
        out.add(2, f"if not {target}: raise Mismatch")
    out.add(2, f"{target} = tuple({target})")
    out.add(2, "c = next(it, END)")
    if spec.minimum:
        out.add(1, "else: raise Mismatch")
    else:
        out.add(1, f"else: {target} = {'None' if spec.wrapper else '()'}")


def _decode_choice(out: _Writer, spec: FieldSpec, kind: Choice, target: str) -> None:
    variable, depth = ("x", 2) if spec.repeated else (target, 1)
    if spec.repeated:
        out.add(1, f"{target} = []")
        out.add(1, "while True:")
    keyword = "if"
    for path, inner in alternatives(kind):
        out.add(depth, f"{keyword} c.tag == {out.tag(path[0])}:")
        _decode_path(out, depth + 1, "c", path[1:], inner, variable)
        keyword = "elif"
    out.add(depth, "else:")
    if spec.repeated:
        out.add(depth + 1, "break")
        out.add(depth, f"{target}.append(x)")
        out.add(depth, "c = next(it, END)")
        if spec.minimum:
            out.add(1, f"if not {target}: raise Mismatch")
        out.add(1, f"{target} = tuple({target})")
    elif spec.minimum:
        out.add(depth + 1, "raise Mismatch")
        out.add(depth, "c = next(it, END)")
    else:
        out.add(depth + 1, f"{target} = None")
        out.add(depth, f"if {target} is not None: c = next(it, END)")


# --- encoding -------------------------------------------------------------------------------------------------------


def _encoder(cls: type) -> tuple[str, dict[str, Any]]:
    out = _Writer(f"def encode_{cls.__name__}(o):")
    pieces = []
    for spec in fields_of(cls):
        if spec.attribute:
            continue
        pieces.append(_encode_field(out, spec))
    out.add(1, "return f'" + "".join(pieces) + "'")
    return out.result()


def _encode_field(out: _Writer, spec: FieldSpec) -> str:
    """Write the lines that prepare a field; return its part of the final f-string."""
    piece, value = f"s_{spec.name}", f"v_{spec.name}"
    if spec.repeated:
        _encode_repeated(out, spec, piece)
        return f"{{{piece}}}"
    out.add(1, f"{value} = o.{spec.name}")
    if isinstance(spec.kind, Choice):
        if not spec.minimum:
            out.add(1, f"if {value} is None: {piece} = ''")
        _encode_choice(out, 1, spec.kind, value, piece, "if" if spec.minimum else "elif")
        return f"{{{piece}}}"
    whole = isinstance(spec.kind, Opaque) and not spec.kind.content
    before, after = _tags(spec.path[:-1] if whole else spec.path, _attributes(out, spec.kind, value))
    content = _content(out, spec.kind, value, spec.path)
    if spec.minimum:
        return f"{before}{{{content}}}{after}"
    out.add(1, f"{piece} = '' if {value} is None else f'{before}{{{content}}}{after}'")
    return f"{{{piece}}}"


def _tags(path: tuple[str, ...], attributes: str = "") -> tuple[str, str]:
    before = "".join(f"<{name}>" for name in path)
    return f"{before[:-1]}{attributes}>" if attributes else before, "".join(f"</{name}>" for name in reversed(path))


def _attributes(out: _Writer, kind: Kind, value: str) -> str:
    """An expression in braces for the attributes of the innermost element, if it can have any."""
    write: Encoder | None = None
    if isinstance(kind, Opaque):
        write = opaque.write_attributes if kind.content else None
    elif isinstance(kind, type):
        write = attribute_writer(kind)
    return f"{{{out.bind(write, 'attributes')}({value})}}" if write else ""


def _content(out: _Writer, kind: Kind, value: str, path: tuple[str, ...]) -> str:
    """An expression, without quotes or braces in it, for the content of the innermost element."""
    if isinstance(kind, Scalar):
        return f"{out.bind(converters(kind)[1], 'write')}({value})"
    if isinstance(kind, Opaque):
        if kind.content:
            return f"{out.bind(opaque.write_content, 'write')}({value})"
        return f"{out.bind(opaque.write_element, 'write')}({value}, {out.bind(path[-1], 'N')})"
    if isinstance(kind, Choice):
        raise AssertionError("a choice is written by _encode_choice")
    out.add(1, f"if {value} is not None and type({value}) is not {out.bind(kind, 'C')}: raise Mismatch")
    return f"{out.bind(encoder(kind), 'encode')}({value})"


def _encode_choice(out: _Writer, depth: int, kind: Choice, value: str, piece: str, keyword: str) -> None:
    out.add(depth, f"{keyword} False: pass")
    for path, inner in alternatives(kind):
        before, after = _tags(path)
        if isinstance(inner, Scalar):
            out.add(depth, f"elif isinstance({value}, (int, float)):")
            content = f"{out.bind(converters(inner)[1], 'write')}({value})"
        else:
            assert isinstance(inner, type)
            out.add(depth, f"elif type({value}) is {out.bind(inner, 'C')}:")
            content = f"{out.bind(encoder(inner), 'encode')}({value})"
        out.add(depth + 1, f"{piece} = f'{before}{{{content}}}{after}'")
    out.add(depth, "else: raise Mismatch")


def _encode_repeated(out: _Writer, spec: FieldSpec, piece: str) -> None:
    outer_before, outer_after = _tags(spec.path[: spec.repeats])
    before, after = _tags(spec.path[spec.repeats :], _attributes(out, spec.kind, "x"))
    value = f"v_{spec.name}"
    out.add(1, f"{value} = o.{spec.name}")
    if spec.wrapper and not spec.minimum:
        out.add(1, f"if {value} is not None and type({value}) is not tuple: raise Mismatch")
    else:
        out.add(1, f"if type({value}) is not tuple: raise Mismatch")
    if spec.minimum and not spec.wrapper:
        out.add(1, f"if not {value}: raise Mismatch")
    items = f"{value} or ()" if spec.wrapper and not spec.minimum else value
    if isinstance(spec.kind, Choice):
        out.add(1, f"{piece} = []")
        out.add(1, f"for x in {items}:")
        _encode_choice(out, 2, spec.kind, "x", "y", "if")
        out.add(2, f"{piece}.append(y)")
        out.add(1, f"{piece} = ''.join({piece})")
        return
    if isinstance(spec.kind, type):
        cls = out.bind(spec.kind, "C")
        out.add(1, f"for x in {items}:")
        out.add(2, f"if type(x) is not {cls}: raise Mismatch")
        content = f"{out.bind(encoder(spec.kind), 'encode')}(x)"
    else:
        assert isinstance(spec.kind, Scalar)
        content = f"{out.bind(converters(spec.kind)[1], 'write')}(x)"
    joined = f"''.join([f'{before}{{{content}}}{after}' for x in {items}])"
    if not outer_before:
        out.add(1, f"{piece} = {joined}")
    elif spec.wrapper and spec.minimum:
        out.add(1, f"{piece} = '{outer_before}' + {joined} + '{outer_after}'")
    else:
        absent = f"{value} is None" if spec.wrapper else f"not {value}"
        out.add(1, f"{piece} = '' if {absent} else '{outer_before}' + {joined} + '{outer_after}'")

