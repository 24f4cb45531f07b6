"""Whose fault it is that workers die: a cell's, and a function's where all its cells do the same."""

from winit.network.cells import Cell, Probe
from winit.network.sources import Source
from winit.sweep.blame import Blame

OWN = (Source("own.py", ""),)


def cells(initializer="own.py:f", depth=3, count=8):
    return [Cell(initializer, "relu", depth, "8", seed, Probe(batch=4), OWN) for seed in range(count)]


def deaths(blame, cell, *, alone, crashed=False):
    """Workers that die until it is clear that the cell is the reason, or until it is a suspect."""
    count = 1
    while not blame.died(cell, 1, alone=alone, crashed=crashed):
        if not alone and cell in blame.suspects:
            return count
        count += 1
    return count


def test_a_cell_is_the_reason_when_five_workers_died_of_it_three_of_them_alone():
    blame, (cell, *_) = Blame(), cells()
    assert deaths(blame, cell, alone=False) == 2
    assert blame.suspects.popleft() == cell
    assert deaths(blame, cell, alone=True) == 3


def test_a_crash_with_the_cluster_to_itself_is_enough():
    blame, (cell, *_) = Blame(), cells()
    deaths(blame, cell, alone=False)
    assert deaths(blame, cell, alone=True, crashed=True) == 1


def test_one_death_is_enough_where_a_cell_like_it_was_the_reason():
    blame, (first, second, *_) = Blame(), cells()
    blame.failed(first, "it died")
    deaths(blame, second, alone=False)
    assert deaths(blame, second, alone=True) == 1


def test_a_function_is_given_up_after_three_cells_in_a_row_and_no_other_is():
    blame, (*three, fourth) = Blame(), cells(count=4)
    (other,) = cells("own.py:g", count=1)
    for cell in three:
        assert blame.given_up(fourth) is None
        blame.failed(cell, "it died")
    reason = "given up after 3 cells of own.py:f, one after the other: it died"
    assert blame.given_up(fourth) == reason
    assert blame.given_up(other) is None


def test_where_cells_of_another_shape_return_those_of_one_shape_are_given_up():
    blame, deep, (shallow, *_) = Blame(), cells(depth=9), cells(depth=1)
    for cell in deep[:3]:
        blame.failed(cell, "it died")
        blame.returned([shallow])
    assert blame.given_up(deep[3]) == (
        "given up after 3 cells of own.py:f of depth 9 and width 8, one after the other: it died"
    )
    assert blame.given_up(shallow) is None


def test_a_cell_that_returns_clears_those_like_it():
    blame, some = Blame(), cells()
    for cell in some[:3]:
        blame.failed(cell, "it died")
    assert blame
    blame.returned([some[3]])
    assert blame.given_up(some[4]) is None
    assert not blame


def test_cells_of_a_function_under_suspicion_are_put_off_until_it_is_cleared():
    blame, some, others = Blame(), cells(), cells("he_normal")
    for cell in some[:3]:
        assert blame.put_off([cell]) == [cell]
        deaths(blame, cell, alone=False)
    assert blame.put_off([some[3], others[0], some[4]]) == [others[0]]
    assert sorted(blame.returned([some[0]]), key=str) == sorted([[some[3]], [some[4]]], key=str)
    assert blame.put_off([some[5]]) == [some[5]]


def test_what_was_put_off_comes_back_when_no_suspect_is_left():
    blame, some = Blame(), cells()
    for cell in some[:3]:
        deaths(blame, cell, alone=False)
    assert blame.put_off(some[3:5]) == []
    assert blame.judged() == [[some[3]], [some[4]]]
    assert blame.judged() == []


def test_the_functions_of_a_user_are_to_blame_before_the_catalogue():
    blame = Blame()
    of_user = Cell("own.py:f", "own.py:phi", 3, "8", 0, Probe())
    for cell, names in ((cells()[0], "own.py:f"), (of_user, "own.py:f with own.py:phi")):
        for _ in range(3):
            blame.failed(cell, "it died")
        assert f"cells of {names}, one" in blame.given_up(cell)
    plain = cells("he_normal")
    for cell in plain[:3]:
        blame.failed(cell, "it died")
    assert "cells of he_normal with relu, one" in blame.given_up(plain[3])


def test_cells_that_were_too_slow_together_go_one_by_one():
    blame, some = Blame(), cells()
    blame.slow(some[:2])
    assert blame
    assert blame.is_slow(some[5])
    assert not blame.is_slow(cells(depth=1)[0])
