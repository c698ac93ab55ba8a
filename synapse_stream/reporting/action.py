"""A plugin's action, and how it is run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, get_args

from pydantic import BaseModel

from synapse_stream.models import LogLevel
from synapse_stream.reporting.driven import of_driver
from synapse_stream.reporting.run import open_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synapse_stream.events.codes import LogMessageCode
    from synapse_stream.reporting.context import RuntimeContext

P = TypeVar("P")


class BaseAction(ABC, Generic[P]):
    """Base of actions: `class Train(BaseAction[TrainParams])` with `execute`.

    `action_name` is the class's name unless it is set, here or in a base. `params_model` is the
    pydantic model in the brackets unless it is set; an action without one gets its parameters as
    they are. The Synapse SDK's drivers run it as well.
    """

    action_name: ClassVar[str]
    params_model: ClassVar[type[BaseModel] | None] = None
    _has_name: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._has_name = cls._has_name or "action_name" in cls.__dict__
        if not cls._has_name:
            cls.action_name = cls.__name__
        if "params_model" not in cls.__dict__:
            for base in cls.__dict__.get("__orig_bases__", ()):
                models = [arg for arg in get_args(base) if _is_model(arg)]
                cls.params_model = models[0] if models else cls.params_model

    def __init__(self, params: P, ctx: RuntimeContext) -> None:
        self.params = params
        self.ctx = of_driver(ctx)

    @abstractmethod
    def execute(self) -> Any:
        """Do the work and return its result, reporting through `self.ctx`."""

    def run(self) -> Any:
        """Execute it; for those that do something around that."""
        return self.execute()

    @classmethod
    def dispatch(cls, params: Any, ctx: Any) -> Any:
        """Run it in a context that somebody else ends, as the SDK's drivers ask for it."""
        return cls(cls.parse_params(params), ctx).run()

    @property
    def logger(self) -> Any:
        """The logger of the context."""
        return self.ctx.logger

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Record an event of the plugin's own: as `self.ctx.log`, like all that follow."""
        self.ctx.log(event, data, file)

    def log_message(self, message: Any, context: Any = LogLevel.INFO, **params: Any) -> None:
        """Show a message to users."""
        self.ctx.log_message(message, context, **params)

    def set_progress(
        self, current: float, total: float, step: str | None = None, **named: Any
    ) -> None:
        """Report how far a step is."""
        self.ctx.set_progress(current, total, step, **named)

    def set_metrics(self, value: Mapping[str, Any], step: str | None = None, **named: Any) -> None:
        """Record numbers by name."""
        self.ctx.set_metrics(value, step, **named)

    def log_metric(self, category: str, key: str, value: float, **metrics: Any) -> None:
        """Record numbers, with the category as their step."""
        self.ctx.log_metric(category, key, value, **metrics)

    def log_visualization(
        self, category: str, group: str, index: int, image: str, **meta: Any
    ) -> None:
        """Record where an image is."""
        self.ctx.log_visualization(category, group, index, image, **meta)

    @classmethod
    def get_log_message_code_class(cls) -> type[LogMessageCode]:
        """Return the codes of the action's messages, if it has some."""
        msg = f"{cls.__name__} has no codes for its messages: it does not say which class they are"
        raise NotImplementedError(msg)

    @classmethod
    def parse_params(cls, params: Any) -> Any:
        """Return `params` (a mapping, the model itself, None for all defaults) as the model.

        Raises:
            pydantic.ValidationError: they do not fit; it names each field, its value and what is
                allowed.
        """
        if cls.params_model is None:
            return params
        return cls.params_model.model_validate({} if params is None else params)


def run_action(
    action: type[BaseAction[Any]], params: Any = None, ctx: RuntimeContext | None = None
) -> Any:
    """Run an action from its start to its end, and return its result.

    Without `ctx` a run is opened, as `open_run` does, after the parameters were found to be good.
    The run ends COMPLETED with the result; when `execute` raises, FAILED or CANCELLED, and the
    exception goes on. If `execute` ended the run with a status that it named, that stands. To run
    several actions in one run, use `Pipeline`.

    Raises:
        pydantic.ValidationError: the parameters do not fit; nothing was started.
    """
    parsed = action.parse_params(params)
    if ctx is None:
        ctx = open_run(action=action, params=parsed)
    with ctx:
        result = action(parsed, ctx).run()
        ctx.end_log(result=result)
    return result


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
