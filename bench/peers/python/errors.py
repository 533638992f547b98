"""Why a side ends without figures."""

from __future__ import annotations


class Failure(Exception):
    """What was measured is not what was asked for."""
