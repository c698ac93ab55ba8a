"""How busy the machine is, as metrics of the step `system`: `with watch_system(): …`."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import psutil

from synapse_stream.integrations.current import Current
from synapse_stream.saying import voice

if TYPE_CHECKING:
    from collections.abc import Callable

    from synapse_stream.reporting.context import RuntimeContext

    Sensor = Callable[[], dict[str, float]]

STEP = "system"
_SECONDS = 15.0
_VISIBLE = "CUDA_VISIBLE_DEVICES"


def watch_system(run: RuntimeContext | None = None, every_seconds: float = _SECONDS) -> Watch:
    """Report from now on, until the block is left or the process ends, how busy the machine is.

    CPU, memory, disk and network; and of the GPUs that the process may use (`nvidia-ml-py` has to
    be installed) use, memory and power. A thread of its own looks; what a sensor cannot tell costs
    that sensor only.

    Args:
        run: the run to report to; None: the one that is open, else a new one.
        every_seconds: between two looks.
    """
    return Watch(Current(run), every_seconds, sensors())


class Watch:
    """Looks again and again, until it is closed."""

    def __init__(self, current: Current, every_seconds: float, found: dict[str, Sensor]) -> None:
        self._current = current
        self._every_seconds = every_seconds
        self._sensors = found
        self._closing = threading.Event()
        self.look()  # rates begin here
        self._thread = threading.Thread(target=self._run, name="synapse-stream-system", daemon=True)
        self._thread.start()

    def look(self) -> None:
        """Report what all sensors tell; one that fails is said, and not asked again."""
        values: dict[str, float] = {}
        for name, sensor in list(self._sensors.items()):
            try:
                values.update(sensor())
            except Exception as failure:  # noqa: BLE001 - drivers, and files of the kernel
                del self._sensors[name]
                voice.warn(
                    "what the machine does is reported without %s: %s: %s",
                    *(name, type(failure).__name__, failure),
                )
        if values:
            self._current.tell("set_metrics", values, STEP)

    def close(self) -> None:
        """Look once more, and then no more."""
        if not self._closing.is_set():
            self._closing.set()
            self._thread.join()
            self.look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        while not self._closing.wait(self._every_seconds):
            self.look()


def sensors() -> dict[str, Sensor]:
    """Return what can be asked, by name."""
    process = psutil.Process()
    found: dict[str, Sensor] = {
        "cpu": lambda: {
            "cpu/percent": psutil.cpu_percent(),
            "process/cpu_percent": process.cpu_percent(),
        },
        "memory": lambda: {
            "memory/percent": psutil.virtual_memory().percent,
            "process/memory_bytes": process.memory_info().rss,
        },
        "disk": _Rates("disk", psutil.disk_io_counters, ("read_bytes", "write_bytes")),
        "network": _Rates("network", psutil.net_io_counters, ("bytes_sent", "bytes_recv")),
    }
    return found | _gpus()


class _Rates:
    """Tells how much more a second counters have become since the last look."""

    def __init__(self, name: str, count: Callable[[], Any], fields: tuple[str, ...]) -> None:
        self._name = name
        self._count = count
        self._fields = fields
        self._before: tuple[float, Any] | None = None

    def __call__(self) -> dict[str, float]:
        now, counted = time.monotonic(), self._count()
        if counted is None:
            msg = "the machine has none"
            raise OSError(msg)
        before, self._before = self._before, (now, counted)
        if before is None or now <= before[0]:
            return {}
        return {
            f"{self._name}/{field}_a_second": (getattr(counted, field) - getattr(before[1], field))
            / (now - before[0])
            for field in self._fields
        }


def _gpus() -> dict[str, Sensor]:
    """Return a sensor for each GPU that the process may use; none without their library."""
    try:
        import pynvml  # noqa: PLC0415 - where there are GPUs

        pynvml.nvmlInit()
        handles = dict(enumerate(map(pynvml.nvmlDeviceGetHandleByIndex, _own(pynvml))))
    except Exception:  # noqa: BLE001 - no library, no driver, no GPU
        return {}
    return {f"gpu {n}": _gpu(pynvml, n, handle) for n, handle in handles.items()}


def _own(nvml: Any) -> list[int]:
    """Return the numbers of the GPUs that the process may use."""
    everyone = list(range(nvml.nvmlDeviceGetCount()))
    visible = os.environ.get(_VISIBLE)
    if visible is None:
        return everyone
    named = [word.strip() for word in visible.split(",")]
    return [int(word) for word in named if word.isdigit() and int(word) in everyone]


def _gpu(nvml: Any, number: int, handle: Any) -> Sensor:
    def sensor() -> dict[str, float]:
        return {
            f"gpu/{number}/percent": nvml.nvmlDeviceGetUtilizationRates(handle).gpu,
            f"gpu/{number}/memory_bytes": nvml.nvmlDeviceGetMemoryInfo(handle).used,
            f"gpu/{number}/power_watts": nvml.nvmlDeviceGetPowerUsage(handle) / 1000,
        }

    return sensor
