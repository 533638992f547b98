"""The stubs tell the truth: each name is there with that signature, and there are no others."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import pgqrs
from pgqrs import _core

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pgqrs.__file__).parent
ENUMS = (_core.WorkerStatus, _core.WorkflowStatus)

# What is of nanobind's making, which the test below looks at, and of typing.
NOT_COMPARED = r"""
pgqrs\._core\..*
pgqrs\.sync\..*__class_getitem__
"""


def test_the_package_is_as_its_stubs_have_it(tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    allowed.write_text(NOT_COMPARED)
    command = [sys.executable, "-m", "mypy.stubtest", "pgqrs", "--ignore-disjoint-bases"]
    command += ["--allowlist", str(allowed), "--concise"]
    done = subprocess.run(
        command, cwd=PACKAGE.parent, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def parameters_of(signature: str) -> list[str]:
    """The names of the parameters, and whether they may be left out."""
    [function] = ast.parse(f"{signature}: ...").body
    assert isinstance(function, ast.FunctionDef)
    arguments = function.args.posonlyargs + function.args.args
    required = len(arguments) - len(function.args.defaults)
    return [each.arg + ("?" if i >= required else "") for i, each in enumerate(arguments)]


def in_stub(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, list[str] | None]]:
    """Every public name with the parameters of functions."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield prefix + node.name, None
            yield from in_stub(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef) and node.decorator_list:
            yield prefix + node.name, None
        elif isinstance(node, ast.FunctionDef):
            yield prefix + node.name, parameters_of(ast.unparse(node).splitlines()[0].rstrip(":"))
        elif isinstance(node, ast.Assign) and prefix.startswith(("WorkerStatus", "WorkflowStatus")):
            yield from ((prefix + target.id, None) for target in node.targets if is_name(target))


def is_name(node: ast.expr) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and not node.id.startswith("_")


def at_runtime(owner: Any, prefix: str = "") -> Iterator[tuple[str, list[str] | None]]:
    """The same of the module."""
    shown = {"__await__", "__iter__", "__next__", "__repr__", "__str__", "__or__", "__int__"}
    for name, value in vars(owner).items():
        if name.startswith("_") and (name not in shown or owner in ENUMS):
            continue
        signatures = getattr(value, "__nb_signature__", None)
        if isinstance(value, type):
            yield prefix + name, None
            yield from at_runtime(value, f"{prefix}{name}.")
        elif signatures and not isinstance(value, property):
            # Defaults stand there as \0, \1 and so on.
            yield prefix + name, parameters_of(re.sub(r"\\(\d+)", r"\1", signatures[0][0]))
        elif name != "T":
            yield prefix + name, None


def test_the_module_is_as_its_stub_has_it() -> None:
    stub = dict(in_stub(ast.parse((PACKAGE / "_core.pyi").read_text()).body))
    assert len(stub) > 100
    runtime = dict(at_runtime(_core))
    for slot in ("Waiter.__iter__", "Waiter.__next__"):  # Made of a type's slots.
        assert slot in stub
        assert runtime.pop(slot) != stub.pop(slot)
    assert runtime == stub


def test_every_public_name_is_exported_and_documented() -> None:
    assert all(hasattr(pgqrs, name) for name in pgqrs.__all__)  # Some come when asked for.
    public = {name for name in vars(pgqrs) if not name.startswith("_")}
    public -= {"sync", "decorators", "annotations", "Any", "TYPE_CHECKING"}
    assert public == set(pgqrs.__all__)
    for name in public:
        value = getattr(pgqrs, name)
        assert value.__doc__, name
        members = vars(value).items() if isinstance(value, type) else ()
        for member, inner in members:
            is_documented = callable(inner) or isinstance(inner, property)
            if is_documented and not member.startswith("_"):
                assert inner.__doc__, f"{name}.{member}"
