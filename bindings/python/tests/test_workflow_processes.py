"""Workflows in processes that are killed, and in those that stop."""

from __future__ import annotations

import gzip
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "bindings/python/examples/compress_tree.py"


def start(source: Path, target: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", PROGRAM, source, target], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("kills", [[1], [2, 3, 5]])
def test_a_killed_program_goes_on_where_it_was(tmp_path: Path, kills: list[int]) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    names = [f"{number}.txt" for number in range(12)]
    source.mkdir()
    for name in names:
        (source / name).write_text(name * 1000)
    lines: list[str] = []
    for count in kills:
        process = start(source, target)
        assert process.stdout is not None
        for _ in range(count):
            lines.append(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait(60)
    process = start(source, target)
    rest, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    lines += rest.splitlines(keepends=True)
    # What was running when it was killed ran again, and nothing else did.
    assert 1 <= lines.count("found 12 files\n") <= 1 + len(kills)
    compressed = [line.split()[1] for line in lines if line.startswith("compressed")]
    assert sorted(set(compressed)) == sorted(names)
    assert len(compressed) <= len(names) + len(kills)
    for name in names:
        assert gzip.decompress((target / f"{name}.gz").read_bytes()).decode() == name * 1000
    report = (target / "report.txt").read_text().splitlines()
    assert [line.split(":")[0] for line in report] == sorted(names)
    assert lines[-1].startswith("12 files")
