"""While something short is computed, Python's collector rests. Pure.

Of what a batch is read into nearly all has died by itself when the graph has it: a run of the collector in the midst of
it would walk over all of that, a tenth of the time that a batch takes (docs/performance-history.md). It is due
right afterwards instead, over the little that stayed. Of what a command reads from manifests nearly all stays until its
end: there the collector took as long as everything else.
"""

from __future__ import annotations

import gc
from types import TracebackType


class Uncollected:
    """`with Uncollected(): …`; one inside of another changes nothing."""

    __slots__ = ("_was_enabled",)

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._was_enabled:
            gc.enable()
