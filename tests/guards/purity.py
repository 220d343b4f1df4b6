"""What source text of the core may import and name: the purity guards, as functions from text to violations.

They stand apart from the tests so that each guard can be shown, in a test of its own, to catch a planted
violation. They read source only; nothing of the core is imported or run. What reading cannot see is left to
the audit hook in `tests/core/conftest.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

SRC = Path(__file__).resolve().parents[2] / "src"
CORE = "oadr_core"

# Standard library modules that can neither touch the outside nor tell the time. A module brings its
# submodules only where they are listed themselves.
STDLIB = frozenset(
    """
    __future__ abc base64 binascii bisect collections collections.abc contextlib copy dataclasses datetime
    decimal enum fractions functools hashlib heapq hmac io itertools json keyword math numbers operator re
    string struct textwrap types typing unicodedata urllib.parse xml.etree.ElementTree xml.parsers.expat
    """.split()
)
THIRD_PARTY = frozenset({"attr", "attrs", "cattrs", "lxml", "defusedxml"})
# XML signatures need them; the rest of the core must not, so that they stay an extra.
SECURITY_ONLY = frozenset({"signxml", "cryptography"})

# Generated codecs are compiled here and nowhere else.
COMPILER = f"{CORE}.wire._compile"

# Modules of which any use is a violation, however they were reached.
BANNED_MODULES = frozenset(
    """
    asyncio getpass glob importlib locale logging multiprocessing os pathlib platform random secrets select
    selectors shutil signal socket socketserver ssl subprocess sys tempfile threading time urllib.request uuid
    warnings zoneinfo
    """.split()
)
BANNED_NAMES = {
    "datetime.datetime.now": "reads the clock",
    "datetime.datetime.utcnow": "reads the clock",
    "datetime.datetime.today": "reads the clock",
    "datetime.date.today": "reads the clock",
    "io.open": "opens a file",
    "io.open_code": "opens a file",
    "io.FileIO": "opens a file",
    "xml.etree.ElementTree.parse": "opens a file",
    "lxml.etree.parse": "opens a file or an address, below Python's sight",
    "lxml.etree.iterparse": "opens a file, below Python's sight",
    "lxml.html": "a parser of another language",
}
BANNED_BUILTINS = {
    "open": "opens a file",
    "print": "writes to a stream",
    "input": "reads a stream",
    "breakpoint": "starts a debugger",
    "__import__": "imports past the allow-list",
}
COMPILER_BUILTINS = {"exec": "runs text", "eval": "runs text", "compile": "compiles text"}
# Caught on any object, as `cls.now()` cannot be resolved by reading.
BANNED_METHODS = {"utcnow": "reads the clock", "today": "reads the clock", "now": "reads the clock"}


class Violation(NamedTuple):
    """One breach: where it stands and what is wrong with it."""

    module: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.module}:{self.line}: {self.text}"


class Imported(NamedTuple):
    """One imported module or name, in absolute form."""

    line: int
    module: str
    name: str | None


def core_modules() -> dict[str, Path]:
    """Return every module of the core by dotted name."""
    return modules_below(SRC / CORE)


def modules_below(package: Path) -> dict[str, Path]:
    """Return the modules of a package directory by dotted name; a package stands under its own name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(source: str, module: str, *, is_package: bool = False) -> Iterator[Imported]:
    """Yield every import of the text at whatever depth, relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Imported(node.lineno, alias.name, None)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") + ([""] if is_package else [])
                base = ".".join([*parts[: -node.level], *([base] if base else [])])
            for alias in node.names:
                yield Imported(node.lineno, base, alias.name)


def import_violations(source: str, module: str, *, is_package: bool = False) -> list[Violation]:
    """Guard (a): what is imported but not on the allow-list."""
    in_security = module == f"{CORE}.security" or module.startswith(f"{CORE}.security.")
    third_party = THIRD_PARTY | SECURITY_ONLY if in_security else THIRD_PARTY
    found = []
    for line, imported, name in imports(source, module, is_package=is_package):
        top = imported.partition(".")[0]
        # `from xml.etree import ElementTree` names the module in its second half.
        allowed = (
            top == CORE
            or top in third_party
            or imported in STDLIB
            or (name is not None and f"{imported}.{name}" in STDLIB)
        )
        if not allowed:
            what = imported if name is None else f"{imported}.{name}"
            found.append(Violation(module, line, f"import of {what} is not on the allow-list"))
    return found


def use_violations(source: str, module: str) -> list[Violation]:
    """Guard (b): clocks, entropy, streams, generated code and anything that awaits."""
    tree = ast.parse(source)
    aliases = _aliases(tree)
    builtins = BANNED_BUILTINS if module == COMPILER else BANNED_BUILTINS | COMPILER_BUILTINS
    parameters = _uses_of_parameters(tree)
    found = []

    def report(node: ast.AST, text: str) -> None:
        found.append(Violation(module, getattr(node, "lineno", 0), text))

    for node in ast.walk(tree):
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            report(node, "the core neither defines nor awaits a coroutine")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            if node.id in builtins and node.id not in aliases and node not in parameters:
                report(node, f"{node.id} {builtins[node.id]}")
            elif node.id in aliases:
                _check_dotted(node, aliases[node.id], report)
        elif isinstance(node, ast.Attribute):
            _check_dotted(node, _dotted(node, aliases), report)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            method = node.func.attr
            if method in BANNED_METHODS and _dotted(node.func, aliases) not in BANNED_NAMES:
                report(node, f".{method}() {BANNED_METHODS[method]}")
            elif method == "astimezone" and not node.args and not node.keywords:
                report(node, ".astimezone() without a zone reads the machine's own")
    return sorted(set(found), key=lambda violation: violation.line)


def _check_dotted(node: ast.AST, dotted: str | None, report: Callable[[ast.AST, str], None]) -> None:
    if dotted is None:
        return
    if dotted in BANNED_NAMES:
        report(node, f"{dotted} {BANNED_NAMES[dotted]}")
        return
    parts = dotted.split(".")
    for length in range(1, len(parts) + 1):
        if ".".join(parts[:length]) in BANNED_MODULES:
            report(node, f"{dotted} is outside the core")
            return


def _uses_of_parameters(tree: ast.AST) -> set[ast.AST]:
    """Return the names that stand for a parameter of the function around them, not for a builtin."""
    found: set[ast.AST] = set()
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.Lambda):
            given = function.args
            names = {argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)}
            found |= {node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id in names}
    return found


def _aliases(tree: ast.AST) -> dict[str, str]:
    """Return what each imported name stands for, as a dotted path; project names are left out."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                names[bound] = alias.name if alias.asname else bound
        elif isinstance(node, ast.ImportFrom) and not node.level and not (node.module or CORE).startswith(CORE):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _dotted(node: ast.Attribute, aliases: dict[str, str]) -> str | None:
    """Return the dotted path of an attribute chain that starts at an imported name."""
    parts = [node.attr]
    value = node.value
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    if not isinstance(value, ast.Name) or value.id not in aliases:
        return None
    return ".".join([aliases[value.id], *reversed(parts)])
