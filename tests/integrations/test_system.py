"""How busy the machine is, by the real sensors; of a GPU by a fake, as there may be none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from synapse_stream import RuntimeContext
from synapse_stream.integrations.current import Current
from synapse_stream.integrations.system import STEP, Watch, sensors, watch_system
from tests.support.recording import RecordingLogger
from tests.support.servers import wait_until


def test_it_looks_again_and_again_until_it_is_closed() -> None:
    kept = RecordingLogger()
    with watch_system(RuntimeContext(kept, {}), every_seconds=0.01) as watch:
        wait_until(lambda: len(kept.of("metrics")) >= 3)
    looks = len(kept.of("metrics"))
    watch.close()

    values = kept.of("metrics")[-1]["values"]
    assert {"cpu/percent", "process/cpu_percent", "memory/percent"} <= set(values)
    assert {"network/bytes_sent_a_second", "network/bytes_recv_a_second"} <= set(values)
    assert 0 < values["memory/percent"] < 100
    assert values["process/memory_bytes"] > 1_000_000
    assert {event.step for event in kept.events} == {STEP}
    assert len(kept.of("metrics")) == looks


def test_a_sensor_that_fails_costs_itself_only(caplog: pytest.LogCaptureFixture) -> None:
    kept = RecordingLogger()

    def broken() -> dict[str, float]:
        msg = "no driver"
        raise OSError(msg)

    current = Current(RuntimeContext(kept, {}))
    with Watch(current, 1000.0, {"broken": broken, "fine": lambda: {"fine": 1.0}}):
        pass

    assert [event["values"] for event in kept.of("metrics")] == [{"fine": 1.0}, {"fine": 1.0}]
    assert caplog.text.count("without broken: OSError: no driver") == 1


@pytest.mark.parametrize(
    ("visible", "numbers"), [(None, [0, 1, 2]), ("2,0", [2, 0]), ("", []), ("1,7,MIG-x", [1])]
)
def test_only_the_gpus_of_the_process_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, numbers: list[int]
) -> None:
    nvml: Any = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 3,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=10 + handle),
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=1000 + handle),
        nvmlDeviceGetPowerUsage=lambda handle: 2500,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    found = {name: sensor for name, sensor in sensors().items() if name.startswith("gpu")}

    assert [sensor()[f"gpu/{n}/percent"] - 10 for n, sensor in enumerate(found.values())] == numbers
    for n, sensor in enumerate(found.values()):
        assert sensor()[f"gpu/{n}/power_watts"] == 2.5
