"""What is measured of a deployment over time, and whether it grows."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Mapping

MIB = 1024 * 1024
_ENOUGH = 8


@dataclass
class Gauge:
    """One number over time; `slack` is by how much it may grow, beside a tenth."""

    name: str
    unit: str
    slack: float
    values: list[float] = field(default_factory=list)

    @property
    def before(self) -> float:
        """The middle value of the second quarter: the first one warms up."""
        return median(self.values[len(self.values) // 4 : len(self.values) // 2])

    @property
    def after(self) -> float:
        """The middle value of the last quarter."""
        return median(self.values[3 * len(self.values) // 4 :])

    @property
    def grows(self) -> bool:
        """Whether it has grown, or was not measured often enough to tell."""
        return len(self.values) < _ENOUGH or self.after > 1.1 * self.before + self.slack

    def __str__(self) -> str:
        """Return what was measured, in one line."""
        if len(self.values) < _ENOUGH:
            return f"{self.name:<28} measured only {len(self.values)} times"
        change = (
            f"{self.before:10.1f} → {self.after:10.1f} {self.unit}, most {max(self.values):.1f}"
        )
        return f"{self.name:<28}{change}{'   GROWS' if self.grows else ''}"


class Gauges:
    """Memory and handles of processes, and what a server says of its memory."""

    def __init__(self, processes: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in processes.items()}
        self.server = Gauge("server, used_memory", "MiB", slack=1.0)
        self.entries = Gauge("entries in all streams", "", slack=1_000.0)
        self._memory = {name: Gauge(f"{name}, RSS", "MiB", slack=8.0) for name in processes}
        self._handles = {name: Gauge(f"{name}, open files", "", slack=3.0) for name in processes}

    @property
    def all(self) -> list[Gauge]:
        """Every one."""
        return [self.server, self.entries, *self._memory.values(), *self._handles.values()]

    def measure(self, used_bytes: int, entries: int) -> None:
        """Take one value of each; fails if a process has ended."""
        self.server.values.append(used_bytes / MIB)
        self.entries.values.append(entries)
        for name, process in self._processes.items():
            self._memory[name].values.append(process.memory_info().rss / MIB)
            self._handles[name].values.append(process.num_fds())
