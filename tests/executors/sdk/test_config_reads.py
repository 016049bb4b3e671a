"""Which fields of a configuration a step function reads."""

from typing import Any

from bskernel_executors.sdk.config_reads import find_fields_read


class Config:
    clock: float = 5.0
    part: str = ""
    board: str = ""
    unused: int = 0

    def resolve(self) -> str:
        return self.part or self.by_board()

    def by_board(self) -> str:
        return self.board


FIELDS = frozenset({"clock", "part", "board", "unused"})


def helper(value: int, settings: Any) -> Any:
    return settings.clock * value


class Holder:
    def __init__(self, cfg: Any) -> None:
        self.part = cfg.part


class Keeper:
    def __init__(self, settings: Any) -> None:
        self.cfg = settings

    def later(self) -> Any:
        return self.cfg.part, getattr(self.cfg, "clock", 1.0)

    def of_another(self, other: Any) -> Any:
        return other.cfg.unused


def direct(model: Any, cfg: Any) -> Any:
    return cfg.clock


def by_function(model: Any, cfg: Any) -> Any:
    return helper(3, settings=cfg)


def by_method(model: Any, cfg: Any) -> Any:
    return cfg.resolve()


def by_class(model: Any, cfg: Any) -> Any:
    return Holder(cfg)


def by_name(model: Any, cfg: Any) -> Any:
    return getattr(cfg, "board", None), getattr(model, "unused", None)


def by_keeper(model: Any, cfg: Any) -> Any:
    return Keeper(cfg)


def by_itself(model: Any, cfg: Any) -> Any:
    return by_itself(model, cfg) if model else cfg.board


def of_something_else(model: Any, cfg: Any) -> Any:
    return model.clock


def read(function: Any) -> set[str]:
    return set(find_fields_read(function, "cfg", Config, FIELDS))


def test_a_field_that_is_read_is_found() -> None:
    assert read(direct) == {"clock"}


def test_a_field_is_found_through_functions_methods_and_classes() -> None:
    assert read(by_function) == {"clock"}
    assert read(by_method) == {"part", "board"}
    assert read(by_class) == {"part"}


def test_a_field_that_is_read_by_its_name_in_quotes_is_found() -> None:
    assert read(by_name) == {"board"}


def test_a_field_that_an_object_reads_of_the_configuration_it_keeps_is_found() -> None:
    assert read(by_keeper) == {"part", "clock"}


def test_a_function_that_calls_itself_ends() -> None:
    assert read(by_itself) == {"board"}


def test_the_same_name_on_another_object_does_not_count() -> None:
    assert read(of_something_else) == set()


def test_a_function_without_source_reads_nothing_that_can_be_seen() -> None:
    assert read(len) == set()
