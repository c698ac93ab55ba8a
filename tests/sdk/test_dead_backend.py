"""The backend is away: the SDK's logger drops what does not fit its queue, the stream does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from synapse_sdk.loggers import JobLogger
from synapse_sdk.plugins.models.logger import LogLevel

from synapse_stream import JobStream
from synapse_stream.integrations.synapse_sdk import StreamLogger

if TYPE_CHECKING:
    from synapse_stream import Settings

COUNT = 20_000


class Dead:
    def create_logs(self, logs: Any) -> NoReturn:
        raise ConnectionError("nobody there")

    update_job = create_logs


def test_of_20000_entries_20000_are_in_the_stream_and_it_says_what_the_backend_lacks(
    settings: Settings,
) -> None:
    job = JobLogger(Dead(), "job-42", queue_wait_timeout=0.1)
    logger = StreamLogger("job-42", also=job, settings=settings)

    for i in range(COUNT):
        logger.log(LogLevel.INFO, "upload_data_file", {"i": i})
    logger.finish()

    found: list[Any] = [
        recorded.event for recorded in JobStream("job-42", settings=settings).read()
    ]
    logs = [event for event in found if event.type == "log"]
    assert [event.data["i"] for event in logs[:-1]] == list(range(COUNT))
    assert logs[-1].event == "joblog_loss"
    assert logs[-1].data["dropped"] + logs[-1].data["unsent"] >= COUNT
    assert found[-1].type == "end"
