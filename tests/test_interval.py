import pytest

from abd.report.interval import wilson


@pytest.mark.parametrize(
    ("n_hits", "n", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0000),
    ],
)
def test_published_intervals(n_hits, n, low, high):
    assert wilson(n_hits, n) == pytest.approx((low, high), abs=5e-5)


def test_more_counts_and_less_certainty_narrow_it():
    widths = [
        high - low for low, high in (wilson(9, 30), wilson(90, 300), wilson(90, 300, 0.5))
    ]
    assert widths == sorted(widths, reverse=True)
