"""Compilation, where there is a place to keep its results and where there is none."""

import numba

from winit.network.compiled import compiled


def test_the_statistics_run_where_nothing_can_be_cached(monkeypatch):
    compiler = numba.njit

    def without_a_place(*arguments, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available for file")
        return compiler(*arguments, **options)

    monkeypatch.setattr(numba, "njit", without_a_place)
    assert compiled()(lambda x: x + 1)(2) == 3
