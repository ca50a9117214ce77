"""The targets of the fuzzer hold for their seeds, and for changed ones; a reader with a fault is found."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzzing import targets
from tests.fuzzing.targets import SEEDS, TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable


NUMBERS = count()


@st.composite
def changed(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Two seeds, cut and put together, with a few bytes between."""
    one, other = draw(st.sampled_from(seeds)), draw(st.sampled_from(seeds))
    return (
        one[: draw(st.integers(0, len(one)))]
        + draw(st.binary(max_size=4))
        + other[draw(st.integers(0, len(other))) :]
    )


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("fuzzing")))
    monkeypatch.chdir(tmp_path_factory.mktemp("here"))
    for seed in SEEDS[name]:
        TARGETS[name](seed)

    @given(changed(SEEDS[name]))
    @settings(deadline=None, max_examples=100, print_blob=True)
    def holds(data: bytes) -> None:
        TARGETS[name](data)

    holds()


@pytest.mark.parametrize(
    ("name", "data", "part", "fault"),
    [
        ("value", b'{"a":1.50}', "_kept", lambda real: lambda value: real(value).replace("1.50", "1.5")),
        ("value", b"NaN", "_kept", lambda _: lambda value: value.decode()),
        ("url", b"host/db", "redacted", lambda _: lambda url: url),
        ("query", b"type=A tag=x", "words_of", lambda _: lambda _item: "tag=x type=B"),
        (
            "stored",
            targets.STORED,
            "plain_arrivals",
            lambda real: lambda *given: [each._replace(source="elsewhere") for each in real(*given)],
        ),
        ("pieces", b'{"a":1}\n2\n', "_kept", lambda real: lambda value: f"{real(value)}{next(NUMBERS)}"),
    ],
)
def test_a_fault_is_found(
    name: str, data: bytes, part: str, fault: Callable[..., Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    TARGETS[name](data)
    monkeypatch.setattr(targets, part, fault(getattr(targets, part)))
    with pytest.raises(AssertionError):
        TARGETS[name](data)
