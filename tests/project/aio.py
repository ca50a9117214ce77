"""The asynchronous store, written from the synchronous one.

    python -m tests.project.aio

writes evstore/aio/facade.py anew: the same classes, signatures and docstrings, and methods that await a call of the
synchronous method. The rules:

- What a method returns decides its form. An `Iterator` becomes an asynchronous iterator; an object of one of `CLASSES`
  is handed on, around the synchronous one; everything else is awaited. Properties, and the methods in `PLAIN`, do
  neither read nor write, and stay as they are.
- A method that may wait for long, since it takes `on_idle` or `timeout`, gets a thread of its own where threads are
  needed. What is in `WORK` is worth a thread everywhere: it would keep the loop from other tasks. So would an append
  in the transaction of the application, whose `connection` waits in its own way.
- A handler, and a function whose name begins with `on_`, is called on the loop, and may be a coroutine function.
- What a base class in evstore/aio/bases.py has already is left to it.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import evstore

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(evstore.__file__).parent
FILE: Final = ROOT / "aio" / "facade.py"
BASES: Final = ROOT / "aio" / "bases.py"

CLASSES: Final = {
    "Transaction": "evstore.consumers.transactions",
    "Consumer": "evstore.consumers.consumer",
    "ConsumerList": "evstore.consumers.overview",
    "ProjectionRunner": "evstore.consumers.projecting",
    "Verification": "evstore.verifying.verification",
    "Comparison": "evstore.comparing",
    "EventStore": "evstore.store",
}
FUNCTIONS: Final = {"connect": "evstore.connecting"}
PLAIN: Final = {"stop", "register", "upcaster", "decode", "snapshots"}
WORK: Final = {"Verification", "Comparison", "mirror", "backup"}
WORDS: Final = {
    "a context manager": "an async context manager",
    "A context manager": "An async context manager",
    "threads may share it": "tasks may share it",
    "store.append(": "await store.append(",
    "tx.append(": "await tx.append(",
    "mailer.run(": "await mailer.run(",
}
"""The few words of docstrings that are otherwise here."""

HEADER: Final = '''\
"""The asynchronous store. `python -m tests.project.aio` writes it from the synchronous one: change that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

'''


class Source(NamedTuple):
    """A module, and where its names come from."""

    module: str
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, module: str) -> Source:
        path = ROOT.parent / (module.replace(".", "/") + ".py")
        text = path.read_text()
        return cls(module, text, ast.parse(text))

    def find(self, name: str) -> ast.ClassDef | ast.FunctionDef:
        return next(
            node
            for node in self.tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name
        )

    def home(self, name: str) -> str | None:
        """The module to import a name from; None if it is of the language itself."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
                return node.module
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name and node in self.outermost():
                return self.module
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            if any(isinstance(each, ast.Name) and each.id == name for each in targets):
                return self.module
        return None

    def outermost(self) -> list[ast.stmt]:
        """The statements of the module, those for type checkers among them."""
        inner = [each for node in self.tree.body if isinstance(node, ast.If) for each in node.body]
        return [*self.tree.body, *inner]

    def docstring(self, node: ast.ClassDef | ast.FunctionDef) -> str:
        if ast.get_docstring(node) is None:
            return ""
        text = ast.get_source_segment(self.text, node.body[0]) or ""
        for old, new in WORDS.items():
            text = text.replace(old, new)
        return text


class Writer:
    """Collects the names that the written code needs, and writes it."""

    def __init__(self) -> None:
        self.of_types: set[tuple[str, str]] = {("collections.abc", "AsyncGenerator")}
        self.at_run_time: set[tuple[str, str]] = set()
        self.in_bases = _names_in(BASES)

    def annotation(self, source: Source, node: ast.expr | None) -> str:
        if node is None:
            return ""
        self.note(source, node, self.of_types)
        return ast.unparse(node)

    def note(self, source: Source, node: ast.expr, where: set[tuple[str, str]]) -> None:
        for each in ast.walk(node):
            text = each.value if isinstance(each, ast.Constant) and isinstance(each.value, str) else ""
            names = [each.id] if isinstance(each, ast.Name) else [text] if text.isidentifier() else []
            for name in names:
                home = source.home(name)
                if (home and name not in CLASSES and home != "typing") or (home == "typing" and name != "Any"):
                    where.add((home, name))

    # --- functions ---

    def signature(self, source: Source, function: ast.FunctionDef) -> str:
        given = function.args
        parts = []
        positional = [*given.posonlyargs, *given.args]
        defaults = [None] * (len(positional) - len(given.defaults)) + [*given.defaults]
        for at, (each, default) in enumerate(zip(positional, defaults, strict=True), 1):
            parts.append(self.parameter(source, each, default))
            if at == len(given.posonlyargs):
                parts.append("/")
        if given.vararg:
            parts.append("*" + self.parameter(source, given.vararg, None))
        elif given.kwonlyargs:
            parts.append("*")
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
            parts.append(self.parameter(source, each, default))
        if given.kwarg:
            parts.append("**" + self.parameter(source, given.kwarg, None))
        return ", ".join(parts)

    def parameter(self, source: Source, each: ast.arg, default: ast.expr | None) -> str:
        text = each.arg
        if each.annotation is not None:
            annotation = self.annotation(source, each.annotation)
            if each.arg.startswith("on_"):  # also a coroutine function
                annotation = annotation.replace(", None]", ", object]")
            text += f": {annotation}"
        if default is not None:
            self.note(source, default, self.at_run_time)
            text += f" = {ast.unparse(default)}"
        return text

    def passed(self, function: ast.FunctionDef) -> str:
        given = function.args
        parts = [self.argument(each) for each in [*given.posonlyargs, *given.args] if each.arg != "self"]
        if given.vararg:
            parts.append(f"*{given.vararg.arg}")
        parts += [f"{each.arg}={self.argument(each)}" for each in given.kwonlyargs]
        if given.kwarg:
            parts.append(f"**{self.options(given.kwarg)}")
        return ", ".join(parts)

    def options(self, each: ast.arg) -> str:
        if not _is_spelled_out(each):
            return each.arg
        self.at_run_time.add(("evstore.aio.running", "with_callbacks"))
        return f"with_callbacks({each.arg})"

    def argument(self, each: ast.arg) -> str:
        annotation = ast.unparse(each.annotation) if each.annotation else ""
        if annotation in CLASSES:
            return f"{each.arg}._sync"
        if each.arg.startswith("on_") and "Callable" in annotation:
            self.at_run_time.add(("evstore.aio.running", "callback"))
            return f"callback({each.arg})"
        if each.arg == "handler":
            self.at_run_time.add(("evstore.aio.running", "callback"))
            return f"callback({each.arg}, Transaction)"
        return each.arg

    def method(self, source: Source, cls: str, function: ast.FunctionDef) -> str:
        decorators = [ast.unparse(each) for each in function.decorator_list]
        for each in function.decorator_list:
            self.note(source, each, self.at_run_time)
        doc = source.docstring(function) or (f'"""{ITERATED[cls]}"""' if function.name == "__iter__" else "")
        head, body = self.form(source, function, _runner(cls, function), is_property="property" in decorators)
        lines = [*(f"    @{each}" for each in decorators), f"    {head}:"]
        if "overload" in decorators:
            return "\n".join([*lines, "        ..."])
        return "\n".join([*lines, *([f"        {doc}"] if doc else []), f"        {body}"])

    def form(self, source: Source, function: ast.FunctionDef, run: str, *, is_property: bool) -> tuple[str, str]:
        """The first line of a method, and what it does."""
        returns = self.annotation(source, function.returns)
        kind = returns.partition("[")[0]
        call = f"self._sync.{function.name}" + ("" if is_property else f"({self.passed(function)})")
        given = self.signature(source, function)
        if function.name == "__enter__":
            body = f"await {run}(self._sync.__enter__)\n        return self"
            return f"async def __aenter__(self) -> {returns}", body
        if function.name == "__exit__":
            return f"async def __aexit__({given}) -> {returns}", f"await {run}(lambda: {call})"
        if function.name == "__iter__":
            self.of_types.add(("collections.abc", "AsyncIterator"))
            self.at_run_time.add(("evstore.aio.running", "iterate"))
            return f"def __aiter__(self) -> Async{returns}", f"return iterate({run}, lambda: iter(self._sync))"
        head, result = f"def {function.name}({given})", "" if returns == "None" else "return "
        if kind in CLASSES:
            return f"{head} -> {returns}", f"return {kind}.of({call}, self._runner)"
        if is_property or function.name in PLAIN:
            return f"{head} -> {returns}", result + call
        if kind == "Iterator":
            self.at_run_time.add(("evstore.aio.running", "iterate"))
            returns = returns.replace("Iterator[", "AsyncGenerator[", 1)[:-1] + ", None]"
            return f"{head} -> {returns}", f"return iterate({run}, {_called(call)})"
        return f"async {head} -> {returns}", f"{result}await {run}({_called(call)})"

    def attribute(self, source: Source, node: ast.AnnAssign, doc: str) -> str:
        assert isinstance(node.target, ast.Name)
        name = node.target.id
        kind = self.annotation(source, node.annotation)
        return f"    @property\n    def {name}(self) -> {kind}:\n        {doc}\n        return self._sync.{name}"

    def of_class(self, name: str) -> str:
        source = Source.of(CLASSES[name])
        cls = source.find(name)
        assert isinstance(cls, ast.ClassDef)
        base, held = f"{name}Base", self.in_bases.get(f"{name}Base", set())
        alias = f"_{name}"
        runs = name == "EventStore"  # the one that is made by its constructor
        (self.at_run_time if runs else self.of_types).add((CLASSES[name], f"{name} as {alias}"))
        parent = base if held else "Wrapper"
        self.at_run_time.add(("evstore.aio.bases" if held else "evstore.aio.running", parent))
        parts = [f"class {name}({parent}):\n    {source.docstring(cls)}\n\n    _sync: {alias}"]
        for at, node in enumerate(cls.body):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                following = cls.body[at + 1]
                doc = ast.get_source_segment(source.text, following) or ""
                parts.append(self.attribute(source, node, doc))
            elif _takes_handler(node) and "overload" in map(ast.unparse, getattr(node, "decorator_list", ())):
                continue  # what a function may take and return there is said for functions, not for coroutines
            elif isinstance(node, ast.FunctionDef) and _is_public(node.name) and node.name not in held:
                parts.append(self.method(source, name, node))
        return "\n\n".join(parts)

    def constructor(self) -> str:
        """The store's own: an adapter decides how it is run."""
        source = Source.of(CLASSES["EventStore"])
        cls = source.find("EventStore")
        made = next(each for each in cls.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")
        return (
            f"    def __init__({self.signature(source, made)}) -> None:\n"
            f"        super().__init__(_EventStore({self.passed(made)}))"
        )

    def function(self, name: str) -> str:
        source = Source.of(FUNCTIONS[name])
        function = source.find(name)
        assert isinstance(function, ast.FunctionDef)
        self.at_run_time.add((FUNCTIONS[name], f"{name} as _{name}"))
        return (
            f"def {name}({self.signature(source, function)}) -> EventStore:\n"
            f"    {source.docstring(function)}\n"
            f"    return EventStore.around(_{name}({self.passed(function)}))"
        )

    def imports(self) -> str:
        typed = self.of_types - self.at_run_time
        within = "".join(f"    {line}\n" for line in _imports(typed))
        return "".join(f"{line}\n" for line in _imports(self.at_run_time)) + f"\nif TYPE_CHECKING:\n{within}"


ITERATED: Final = {"Verification": "The findings.", "Comparison": "The differences."}
"""What iterating such an object yields."""


def _imports(names: Iterable[tuple[str, str]]) -> Iterator[str]:
    for module, name in sorted(names):
        yield f"from {module} import {name}"


def _runner(cls: str, function: ast.FunctionDef) -> str:
    """The way in which a method is called."""
    names = {each.arg for each in [*function.args.args, *function.args.kwonlyargs]}
    if function.name in WORK or cls in WORK:
        return "self._runner.threads.run_long"
    if {"on_idle", "timeout"} & names or _is_spelled_out(function.args.kwarg):
        return "self._runner.run_long"
    connection = "connection" if "connection" in names else None
    if cls == "EventStore" and function.args.kwarg:
        connection = f'{function.args.kwarg.arg}.get("connection")'
    return f"(self._runner.threads if {connection} else self._runner).run" if connection else "self._runner.run"


def _called(call: str) -> str:
    """A function that makes the call."""
    return call.removesuffix("()") if call.endswith("()") else f"lambda: {call}"


def _is_spelled_out(options: ast.arg | None) -> bool:
    """True for the options of `Consumer.run` that others take as well."""
    return options is not None and "Unpack" in ast.dump(options)


def _takes_handler(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and any(each.arg == "handler" for each in node.args.args)


def _is_public(name: str) -> bool:
    return not name.startswith("_") or name in ("__enter__", "__exit__", "__iter__")


def _names_in(path: Path) -> dict[str, set[str]]:
    """The methods of each class, by the names of the synchronous ones that they stand for."""
    stand_for = {"__aenter__": "__enter__", "__aexit__": "__exit__", "aclose": "close"}
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
            found[node.name] = names | {stand_for[name] for name in names & {*stand_for}}
    return found


def facade() -> str:
    """The text of the module."""
    writer = Writer()
    classes = [writer.of_class(name) for name in CLASSES]
    begins = "    _sync: _EventStore\n\n"
    classes[-1] = classes[-1].replace(begins, f"{begins}{writer.constructor()}\n\n", 1)
    functions = [writer.function(name) for name in FUNCTIONS]
    text = HEADER + writer.imports() + "\n\n" + "\n\n\n".join([*classes, *functions]) + "\n"
    return _formatted(text)


def _formatted(text: str) -> str:
    for arguments in (["check", "--fix-only", "--select", "I,F401,TC", "--quiet"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(FILE), "-"]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True, cwd=ROOT.parent).stdout
    return text


if __name__ == "__main__":
    FILE.write_text(facade())
