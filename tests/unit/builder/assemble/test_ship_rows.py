"""The samples that are kept in a bundle."""

import pytest

from nachlass_builder.assemble.ship_rows import ship_samples
from nachlass_builder.bundle.layout import SAMPLES


@pytest.mark.parametrize(
    ("most_bytes", "kept"),
    [
        (1000, list(range(100))),
        (400, list(range(100))),
        (200, list(range(0, 100, 2))),
        (40, list(range(0, 100, 10))),
    ],
)
def test_as_many_samples_as_fit_are_kept_evenly_spread(tmp_path, most_bytes, kept):
    (tmp_path / SAMPLES).write_text("".join(f"{n:03}\n" for n in range(100)))
    assert ship_samples(tmp_path, with_rows=True, max_bytes=most_bytes) == len(kept)
    lines = (tmp_path / SAMPLES).read_text().splitlines()
    assert list(map(int, lines)) == kept


def test_large_samples_among_small_ones_count_by_their_size(tmp_path):
    lines = ["x" * (1000 if n % 10 == 0 else 1) for n in range(100)]
    (tmp_path / SAMPLES).write_text("\n".join([*lines, ""]))
    shipped = ship_samples(tmp_path, with_rows=True, max_bytes=3000)
    assert 1 <= shipped < 100
    assert (tmp_path / SAMPLES).stat().st_size <= 3000


def test_a_sample_that_takes_over_half_of_the_limit_is_left_out(tmp_path):
    (tmp_path / SAMPLES).write_text("\n".join(["x" * 1000, "a", "b", ""]))
    assert ship_samples(tmp_path, with_rows=True, max_bytes=1500) == 2
    assert (tmp_path / SAMPLES).read_text() == "a\nb\n"
    assert ship_samples(tmp_path, with_rows=True, max_bytes=3) == 0
    assert not (tmp_path / SAMPLES).exists()


def test_the_samples_file_is_omitted_without_rows(tmp_path):
    (tmp_path / SAMPLES).write_text("1\n")
    assert ship_samples(tmp_path, with_rows=False) == 0
    assert not (tmp_path / SAMPLES).exists()
    assert ship_samples(tmp_path, with_rows=True) == 0
