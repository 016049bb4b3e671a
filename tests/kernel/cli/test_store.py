"""Sizes and ages as people write them."""

import click
import pytest
from bskernel.cli.units import age, describe_size, size


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("500M", 500_000_000), ("20 GB", 20 * 10**9), ("1.5KiB", 1536), ("2tib", 2 << 40)]
)
def test_a_size_is_read_in_either_kind_of_unit(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize("text", ["", "G", "many", "-1G", "1X", "1 iB"])
def test_what_is_no_size_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="20G"):
        size(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1234, "1.2 kB"), (20 * 10**9, "20 GB"), (5 * 10**15, "5000.0 TB")],
)
def test_a_size_is_told_for_people(count: int, text: str) -> None:
    assert describe_size(count) == text


def test_an_age_is_in_hours_days_or_weeks() -> None:
    assert [age(text) for text in ("12h", "30d", "1.5w")] == [43_200, 2_592_000, 907_200]
    for text in ("", "30", "d", "1h30m", "30 d"):
        with pytest.raises(click.BadParameter, match="30d"):
            age(text)
