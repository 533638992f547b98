"""What is shown of the package is run: programs, code in documents, examples in docstrings."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

import pgqrs
import pgqrs.sync

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[3]
PROGRAMS = sorted((ROOT / "bindings/python/examples").glob("*.py"))
MOVE = ROOT / "bindings/python/examples/move_messages.py"
DOCUMENTS = ["README.md", "docs/python.md", "docs/migrating.md"]


def assert_shown(shown: str, printed: str) -> None:
    """What was printed is what is shown, in which ... stands for anything."""
    checker = doctest.OutputChecker()
    example = doctest.Example("", shown)
    if not checker.check_output(example.want, printed, doctest.ELLIPSIS):
        pytest.fail(checker.output_difference(example, printed, doctest.ELLIPSIS))


class Runner:
    """Runs code that may await, and gives what it printed."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self._loop = asyncio.Runner()

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.close()

    def run(self, text: str, file: str, mode: str = "exec") -> str:
        code = compile(text, file, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            waiting = eval(code, self.names)
            if inspect.iscoroutine(waiting):
                self._loop.run(asyncio.wait_for(waiting, 60))
        return printed.getvalue()


# Programs


@pytest.fixture
def program_dsn(dsn: str) -> Iterator[str]:
    """A database of its own, on Postgres too: programs use the schema public."""
    if dsn.startswith(("sqlite:", "turso:")):
        yield dsn
        return
    name = f"py_{uuid.uuid4().hex[:12]}"

    def execute(statement: str) -> None:
        subprocess.run(["psql", dsn, "-qc", statement], check=True, timeout=60)

    execute(f"CREATE DATABASE {name}")
    yield urlsplit(dsn)._replace(path=f"/{name}").geturl()
    execute(f"DROP DATABASE {name} WITH (FORCE)")


def run_program(program: Path, *arguments: str, text: str = "") -> str:
    done = subprocess.run(
        [sys.executable, program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", [p for p in PROGRAMS if p != MOVE], ids=lambda p: p.stem)
def test_a_program_prints_what_it_says(program: Path, program_dsn: str) -> None:
    doc = ast.get_docstring(ast.parse(program.read_text()))
    assert doc is not None
    shown = re.search(r"It prints:\n\n((?: {4}.+\n?)+)", doc)
    assert shown is not None
    assert_shown(inspect.cleandoc(shown[1]) + "\n", run_program(program, program_dsn))


def test_messages_move_through_a_file(program_dsn: str) -> None:
    payloads = [{"to": "ada", "amount": 12.5}, "text", None, [1, 2]]
    with pgqrs.sync.connect(program_dsn) as store:
        store.queue("old")
        store.producer("old").enqueue_batch(payloads)
        store.consumer("old").dequeue(1)  # Held by somebody who does not finish.
    lines = run_program(MOVE, "export", program_dsn, "old")
    assert run_program(MOVE, "export", program_dsn, "old") == ""
    run_program(MOVE, "import", program_dsn, "new", text=lines)
    with pgqrs.sync.connect(program_dsn) as store:
        moved = [message.payload for message in store.consumer("new").dequeue(10)]
        assert sorted(moved, key=str) == sorted(payloads, key=str)
        assert store.metrics("old").archived_messages == len(payloads)


# Documents

_BLOCK = re.compile(r"^(<!-- not run: .+ -->\n\n?)?```python\n(.*?)^```$", re.M | re.S)
_SHOWN = re.compile(r"^ *print\(.*\)  # (.+)$", re.M)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_prints_what_its_comments_say(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blocks of Python run in their order, in one namespace, in an empty folder.

    What a block prints is what the comments behind its calls of print say.
    """
    monkeypatch.chdir(tmp_path)
    text = (ROOT / document).read_text()
    blocks = list(_BLOCK.finditer(text))
    assert blocks
    with Runner({"__name__": "__main__"}) as runner:
        for block in blocks:
            if block[1]:
                compile(block[2], document, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                continue
            above = "\n" * text.count("\n", 0, block.start(2))  # So that lines of errors are right.
            shown = "".join(line + "\n" for line in _SHOWN.findall(block[2]))
            assert_shown(shown, runner.run(above + block[2], document))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_of_a_document_lead_somewhere(document: str) -> None:
    path = ROOT / document
    text = re.sub(r"```.*?```", "", path.read_text(), flags=re.S)
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (path.parent / target).exists(), target


# Docstrings


def public(module: Any) -> list[tuple[str, Any]]:
    return [(name, getattr(module, name)) for name in pgqrs.__all__]


def is_example_wanted(value: Any) -> bool:
    """Of classes, but of errors only where programs raise them."""
    raised = (pgqrs.Discard, pgqrs.RetryAfter, pgqrs.TransientStepError)
    return inspect.isclass(value) and (not issubclass(value, Exception) or value in raised)


def test_every_class_has_an_example() -> None:
    lacking = [
        name
        for name, value in public(pgqrs)
        if is_example_wanted(value) and ">>> " not in (value.__doc__ or "")
    ]
    assert lacking == []


DOCUMENTED = [
    pytest.param(module, value.__doc__, id=f"{module.__name__}.{name}")
    for module in (pgqrs, pgqrs.sync)
    for name, value in [*public(module), ("module", module)]
    if ">>> " in (value.__doc__ or "")
    # What both have is shown once, with await.
    and (module is pgqrs or value is not getattr(pgqrs, name, None))
]


@pytest.mark.parametrize(("module", "doc"), DOCUMENTED)
def test_the_example_of_a_docstring_gives_what_it_shows(module: Any, doc: str) -> None:
    with Runner({"pgqrs": module}) as runner:
        wait = "" if module is pgqrs.sync else "await "
        runner.run(f"store = {wait}pgqrs.connect('sqlite::memory:')", "<setup>")
        runner.run(f"{wait}store.queue('jobs')", "<setup>")
        for name in ("producer", "consumer"):
            runner.run(f"{name} = {wait}store.{name}('jobs')", "<setup>")
        if "consumer.dequeue" in doc and "producer.enqueue" not in doc:
            runner.run(f"{wait}producer.enqueue({{'to': 'ada'}})", "<setup>")
        for example in doctest.DocTestParser().get_examples(doc):
            assert_shown(example.want, runner.run(example.source, "<docstring>", "single"))
