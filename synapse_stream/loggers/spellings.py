"""What the Synapse SDK's loggers are asked for by other words, so that its plugins are at home."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from synapse_stream.events.joblog import metric_of, trials_of
from synapse_stream.models import LogLevel

if TYPE_CHECKING:
    from collections.abc import Mapping


class Spellings(ABC):
    """The SDK's names for what a logger does; each is one of its own methods by another name."""

    _set_step: str | None = None

    @property
    @abstractmethod
    def current_step(self) -> str | None:
        """The step of a report that names none."""

    @abstractmethod
    def log(self, event: Any, data: Any, file: Any = None) -> None:
        """Record an event of the plugin's own."""

    @abstractmethod
    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, *, x: float | None = None
    ) -> None:
        """Record numbers by name."""

    @abstractmethod
    def log_message(self, message: Any, context: Any = LogLevel.INFO, **params: Any) -> None:
        """Record a message for users."""

    @abstractmethod
    def log_dev_event(self, message: str, data: Any = None) -> None:
        """Record an event for the plugin's developers."""

    @abstractmethod
    def end_log(self) -> None:
        """End the run."""

    def debug(self, message: str) -> None:
        """Record an event for the plugin's developers."""
        self.log_dev_event(message)

    def info(self, message: str) -> None:
        """Record a message for users."""
        self.log_message(message)

    def warning(self, message: str) -> None:
        """Record a warning for users."""
        self.log_message(message, LogLevel.WARNING)

    def error(self, message: str) -> None:
        """Record an error for users."""
        self.log_message(message, LogLevel.ERROR)

    def critical(self, message: str) -> None:
        """Record a critical error for users."""
        self.log_message(message, LogLevel.CRITICAL)

    def set_step(self, step: str | None, order: int | None = None) -> None:  # noqa: ARG002 - steps are in the order of their first report
        """Make `step` the one of every report that names none, until another one is set."""
        self._set_step = step

    def get_step(self) -> str | None:
        """Return the step of a report that names none."""
        return self.current_step

    def log_event(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Record an event of the plugin's own."""
        self.log(event, data, file)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Record numbers, with the category as their step and an epoch as their place."""
        self.set_metrics(step=category, **metric_of(key, value, metrics))

    def log_visualization(
        self, category: str, group: str, index: int, image: str, **meta: Any
    ) -> None:
        """Record where an image is."""
        data = {"category": category, "group": group, "index": index, **meta}
        self.log("visualization", data, image)

    def log_trials(self, data: dict[str, Any] | None = None, **parts: Any) -> None:
        """Record the table of Tune's trials: `trials=`, `base=`, `hyperparameters=` and so on."""
        self.log("trials", trials_of(data, parts))

    def finish(self) -> None:
        """End the run."""
        self.end_log()
