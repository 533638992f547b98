"""Processes that answer on stdout, and what both harnesses say and count alike."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class SideFailed(Exception):
    """A side could not do its part."""


def say(text: str) -> None:
    """Says on stderr how far it is."""
    print(text, file=sys.stderr, flush=True)


def run(
    command: Sequence[str], environment: Mapping[str, str], patience: float, name: str
) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end, however that is; gives it up after so many seconds."""
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired:
        raise SideFailed(f"{name} took more than {patience} s") from None


def percentile(values: list[float], fraction: float) -> float:
    """The value that the given fraction (0 to 1) of the values does not exceed."""
    return sorted(values)[max(math.ceil(fraction * len(values)), 1) - 1]
