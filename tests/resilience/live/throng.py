"""A thousand readers, half of which read nothing, and a hundred large questions beside them."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from synapse_stream.log.event_log import open_log
from synapse_stream.settings import Settings
from tests.support.chains import Chain
from tests.support.projecting import project
from tests.support.scenes.api import ApiProcess
from tests.support.scenes.report import Result
from tests.support.scenes.stage import PROCESSES
from tests.support.servers import TestServer, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from random import Random

WHOLE = 1_000
_POINTS_A_READER = 100
_NAMES = 5
_MOST_MS = 100
_MOST_BYTES = 1024**3
_ENOUGH_SAMPLES = 100
_MEASURED_SECONDS = 60.0
_PATIENCE_SECONDS = 180.0
_JOB = "large"
_LARGE = (
    (f"/api/jobs/{_JOB}/metrics?points=0", "application/json"),
    (f"/api/jobs/{_JOB}/metrics?points=100000", "application/json"),
    (f"/api/jobs/{_JOB}/metrics", "text/csv"),
    (f"/api/jobs/{_JOB}/metrics", "application/vnd.apache.parquet"),
    (f"/api/jobs/{_JOB}/events", "application/x-ndjson"),
    (f"/api/jobs/{_JOB}/messages?limit=1000", "application/json"),
)
_UNREAD = (
    *_LARGE,
    (f"/api/jobs/{_JOB}/live?after=0-0", "text/event-stream"),
    (f"/api/jobs/{_JOB}/live", "text/event-stream"),
    ("/api/live", "text/event-stream"),
)


def throng(home: Path, count: int, random: Random) -> Result:
    """`count` readers, every second of which reads nothing, and a tenth as many large questions."""
    questions = max(6, count // 10)
    result = Result(
        f"{count} readers, half of them read nothing, {questions} large questions", count
    )
    with ExitStack() as stack:
        server = stack.enter_context(TestServer(home / "server"))
        settings = Settings(redis_url=server.url, data_dir=home / "data", partitions=4)
        chain = _fill(settings, count * _POINTS_A_READER)
        api = ApiProcess(settings, home / "api.log").start()
        stack.callback(api.kill)
        stack.enter_context(_reporting(settings, chain))
        memory = stack.enter_context(_memory(api.pid))
        _measure_once(api.port)
        asked = (_UNREAD[number % len(_UNREAD) if number % 2 else -2] for number in range(count))
        readers = [stack.enter_context(_Reader(api.port, *one)) for one in asked]
        stack.enter_context(_all_read(readers[::2]))
        measured = stack.enter_context(_health(api.port))
        seconds = _MEASURED_SECONDS if count >= WHOLE else _PATIENCE_SECONDS
        answers = _ask(api.port, [random.choice(_LARGE) for _ in range(questions)], seconds)
        took, bare = measured()
        result.happened = count
        result.tally.events = chain.last + 1
        follows = sum(reader.bytes > 0 for reader in readers[::2])
        result.require(follows == len(readers[::2]), f"only {follows} followed")
        _judge(result, answers, took, max(memory), is_whole=count >= WHOLE)
        result.notes.append(f"{_times(bare)} of a server that does nothing, at the same time")
    return result


def _judge(
    result: Result, answers: list[int], took: list[float], most: int, *, is_whole: bool
) -> None:
    """Say what is wrong; of times only where the whole is played."""
    wrong = [answer for answer in answers if answer not in {200, 429, 503}]
    result.require(not wrong, f"large questions were answered by {wrong[:5]}")
    result.require(200 in answers, "no large question was answered")
    result.require(most < _MOST_BYTES, f"the API took {most >> 20} MiB")
    p99 = _quantile(took, 0.99)
    if is_whole:
        result.require(len(took) >= _ENOUGH_SAMPLES, f"health was asked {len(took)} times only")
        result.require(p99 < _MOST_MS, f"/healthz took {p99:.0f} ms (p99)")
    result.notes.append(
        f"/healthz {_times(took)} of {len(took)}, API {most >> 20} MiB, "
        f"{answers.count(200)} large questions answered in time"
    )


def _times(took: list[float]) -> str:
    return f"p50 {_quantile(took, 0.5):.0f} ms, p99 {_quantile(took, 0.99):.0f} ms"


def _quantile(took: list[float], share: float) -> float:
    """Return milliseconds."""
    return sorted(took)[int(len(took) * share)] * 1000


def _fill(settings: Settings, points: int) -> Chain:
    """Report a run with long series and many messages, and project it."""
    chain = Chain(_JOB)
    log = open_log(settings)
    log.append(chain.add({"type": "run_started", "rank": 0, "host": "h", "pid": 1}))
    for begin in range(0, points, 1_000):
        log.append(chain.add(*(_point(number) for number in range(begin, begin + 1_000))))
    for _ in range(20):
        log.append(chain.add(*(_MESSAGE for _ in range(50))))
    log.close()
    project(settings)
    return chain


_MESSAGE = {"type": "message", "level": "info", "content": "w" * 5_000}


def _point(number: int) -> dict[str, Any]:
    values = {f"metric-{name}": number / (name + 1) for name in range(_NAMES)}
    return {"type": "metrics", "step": None, "x": number, "values": values}


class _Reader:
    """A client that has asked, and reads when it is told to."""

    def __init__(self, port: int, path: str, accept: str) -> None:
        self.bytes = 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self.socket.settimeout(_PATIENCE_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n"
        self.socket.sendall(head.encode())

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@contextmanager
def _all_read(readers: list[_Reader]) -> Iterator[None]:
    """Have readers read what comes, in a thread."""
    import selectors

    stop = Event()
    selector = selectors.DefaultSelector()
    for reader in readers:
        reader.socket.setblocking(False)
        selector.register(reader.socket, selectors.EVENT_READ, reader)

    def run() -> None:
        while not stop.is_set():
            for key, _ in selector.select(0.2):
                try:
                    key.data.bytes += len(key.data.socket.recv(65_536))
                except OSError:
                    selector.unregister(key.fileobj)

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        selector.close()


@contextmanager
def _reporting(settings: Settings, chain: Chain) -> Iterator[None]:
    """Go on reporting, some batches a second."""
    stop = Event()
    log = open_log(settings)

    def run() -> None:
        while not stop.wait(0.05):
            log.append(chain.add(*(_point(number) for number in range(20))))

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        log.close()


@contextmanager
def _memory(pid: int) -> Iterator[list[int]]:
    """Note the memory of a process, again and again."""
    stop, seen = Event(), [0]
    process = psutil.Process(pid)

    def run() -> None:
        while not stop.wait(0.1):
            seen.append(process.memory_info().rss)

    thread = Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _ask(port: int, questions: list[tuple[str, str]], seconds: float) -> list[int]:
    """Ask all at once; return how they were answered whose answers were read in time."""
    answers: list[int] = []
    deadline = time.monotonic() + seconds

    def ask(path: str, accept: str) -> None:
        url = f"http://127.0.0.1:{port}{path}"
        headers = {"Accept": accept}
        with (
            suppress(httpx.TransportError),
            httpx.stream("GET", url, headers=headers, timeout=_PATIENCE_SECONDS) as answer,
        ):
            for _ in answer.iter_raw():
                if time.monotonic() > deadline:
                    return
            answers.append(answer.status_code)

    threads = [Thread(target=ask, args=question, daemon=True) for question in questions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(answers)


@contextmanager
def _health(port: int) -> Iterator[Callable[[], tuple[list[float], list[float]]]]:
    """Ask for health all the time, in a process of its own; what is yielded ends it.

    It returns how long the answers took, and how long at the same times those of a process that
    does nothing else: what of it is the machine's.
    """
    ours, theirs = PROCESSES.Pipe()
    bare_port = free_port()
    processes = [
        PROCESSES.Process(target=_answer, args=(bare_port,)),
        PROCESSES.Process(target=_measure, args=(port, bare_port, theirs)),
    ]
    for process in processes:
        process.start()

    def end() -> tuple[list[float], list[float]]:
        ours.send("end")
        found: tuple[list[float], list[float]] = ours.recv()
        return found

    try:
        yield end
    finally:
        for process in processes:
            process.kill()
            process.join()


def _answer(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            asking, _ = server.accept()
            with asking:
                asking.recv(4_096)
                asking.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")


def _measure(port: int, bare_port: int, pipe: Any) -> None:
    took: list[float] = []
    bare: list[float] = []
    wait_until(partial(_is_open, bare_port))
    while not pipe.poll(0.02):
        took.append(_measure_once(port))
        bare.append(_measure_once(bare_port))
    pipe.send((took, bare))


def _is_open(port: int) -> bool:
    with socket.socket() as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def _measure_once(port: int) -> float:
    begun = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), _PATIENCE_SECONDS) as asking:
        asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        received = b""
        while part := asking.recv(4_096):
            received += part
    assert received.startswith(b"HTTP/1.1 200")
    return time.perf_counter() - begun
