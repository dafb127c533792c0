"""What is deflated with small tables is as small, and is read by zlib."""

from __future__ import annotations

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.deflating import SMALL_BYTES_MAX, deflated


@given(st.binary(max_size=2_000), st.integers(0, 9), st.sampled_from([1, SMALL_BYTES_MAX // 500]))
def test_zlib_reads_what_was_deflated(raw: bytes, level: int, times: int) -> None:
    assert zlib.decompress(deflated(raw * times, level)) == raw * times


@pytest.mark.parametrize("size", [100, 5_000, SMALL_BYTES_MAX, SMALL_BYTES_MAX + 1])
@pytest.mark.parametrize("level", [1, 6])
def test_it_is_as_small_as_with_tables_of_the_usual_size(size: int, level: int) -> None:
    rows = [{"resource": f"apps/Deployment/shop-{one}/web", "code": "D310", "at": one * 7919} for one in range(1_000)]
    raw = json.dumps(rows).encode()[:size]
    assert len(deflated(raw, level)) <= 1.1 * len(zlib.compress(raw, level))
