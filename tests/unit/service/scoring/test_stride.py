"""How many rows are scored in one turn."""

from nachlass_service.scoring.stride import MOST_ROWS, Stride


def test_the_stride_fits_the_turn():
    stride = Stride(16)
    for rows, seconds, expected in (
        *((16, 0.0001, 64), (64, 0.001, 256), (10, 0.001, 256), (256, 0.025, 512)),
        *((512, 0.1, 256), (256, 1000, 1), (1, 0.04, 1), (1, 0.0, 4)),
    ):
        stride.note(rows, seconds)
        assert stride.rows == expected
    stride.note_size(64, 1 << 30)
    assert stride.rows == 1


def test_the_next_batch_begins_with_fewer():
    assert Stride(400).first_of_next() == 100
    assert Stride(1).first_of_next() == 1
    assert Stride(MOST_ROWS).first_of_next() == MOST_ROWS // 8
