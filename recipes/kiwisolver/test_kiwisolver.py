"""Cassowary constraint systems with known solutions, and C++ exceptions that become Python's."""

import gc
import itertools
import random
import weakref

import kiwisolver
import pytest
from kiwisolver import Constraint, Expression, Solver, Term, Variable, _cext, strength


def solve(*constraints):
    solver = Solver()
    for constraint in constraints:
        solver.addConstraint(constraint)
    solver.updateVariables()
    return solver


def test_c_extension_is_in_use():
    assert kiwisolver.Solver is _cext.Solver
    assert _cext.__file__.endswith((".so", ".pyd"))


def test_linear_system():
    x, y = Variable("x"), Variable("y")
    solve(x + y == 10, x - y == 4)
    assert (x.value(), y.value()) == (7.0, 3.0)


def test_three_unknowns():
    x, y, z = (Variable(name) for name in "xyz")
    solve(2 * x + y - z == 8, -3 * x - y + 2 * z == -11, -2 * x + y + 2 * z == -3)
    assert [v.value() for v in (x, y, z)] == pytest.approx([2, 3, -1], abs=1e-12)


def test_inequalities_hold_at_their_bounds():
    x = Variable("x")
    solve(x >= 3, x <= 9, (x == 100) | "weak")
    assert x.value() == 9.0
    y = Variable("y")
    solve(y >= 3, y <= 9, (y == -100) | "weak")
    assert y.value() == 3.0


def test_stronger_constraint_wins():
    for first, second, expected in (("weak", "strong", 2.0), ("strong", "weak", 1.0), ("medium", "weak", 1.0)):
        x = Variable("x")
        solve((x == 1) | first, (x == 2) | second)
        assert x.value() == expected


def test_strength_values():
    assert strength.required > strength.strong > strength.medium > strength.weak > 0
    assert strength.strong == 1e6
    assert strength.medium == 1e3
    assert strength.weak == 1.0
    assert strength.create(1, 2, 3) == 1e6 + 2e3 + 3


def test_unsatisfiable_constraint_is_thrown_through():
    x = Variable("x")
    solver = solve(x >= 10)
    conflicting = x <= 5
    with pytest.raises(kiwisolver.UnsatisfiableConstraint) as caught:
        solver.addConstraint(conflicting)
    assert caught.value.constraint is conflicting
    assert not solver.hasConstraint(conflicting)


def test_many_exceptions_in_a_row():
    x = Variable("x")
    solver = solve(x == 1)
    for _ in range(500):
        with pytest.raises(kiwisolver.UnsatisfiableConstraint):
            solver.addConstraint(x == 2)
    assert solver.hasConstraint(x == 1) is False
    solver.updateVariables()
    assert x.value() == 1.0


def test_duplicate_and_unknown_constraints():
    x = Variable("x")
    constraint = x == 1
    solver = solve(constraint)
    with pytest.raises(kiwisolver.DuplicateConstraint):
        solver.addConstraint(constraint)
    solver.removeConstraint(constraint)
    with pytest.raises(kiwisolver.UnknownConstraint):
        solver.removeConstraint(constraint)


def test_edit_variable_errors():
    x = Variable("x")
    solver = Solver()
    with pytest.raises(kiwisolver.UnknownEditVariable):
        solver.suggestValue(x, 1)
    with pytest.raises(kiwisolver.BadRequiredStrength):
        solver.addEditVariable(x, "required")
    solver.addEditVariable(x, "weak")
    with pytest.raises(kiwisolver.DuplicateEditVariable):
        solver.addEditVariable(x, "weak")
    solver.removeEditVariable(x)
    with pytest.raises(kiwisolver.UnknownEditVariable):
        solver.removeEditVariable(x)


def test_edits_move_a_layout():
    left, mid, right = (Variable(name) for name in ("left", "mid", "right"))
    solver = solve(mid * 2 == left + right, left >= 0, right <= 100, right >= left + 10)
    solver.addEditVariable(mid, "strong")
    for wanted, expected in ((50, 50), (97, 95), (1, 5)):
        solver.suggestValue(mid, wanted)
        solver.updateVariables()
        assert mid.value() == pytest.approx(expected)
        assert left.value() >= -1e-9
        assert right.value() <= 100 + 1e-9
        assert right.value() - left.value() >= 10 - 1e-9


def test_removing_a_constraint_releases_the_variable():
    x = Variable("x")
    upper = x <= 5
    solver = solve((x == 50) | "weak", upper)
    assert x.value() == 5.0
    solver.removeConstraint(upper)
    solver.updateVariables()
    assert x.value() == 50.0
    solver.reset()
    assert not solver.hasConstraint(upper)


def test_expression_arithmetic():
    x, y = Variable("x"), Variable("y")
    expression = 2 * x + 3 * y / 4 - 5
    assert isinstance(expression, Expression)
    assert {term.variable().name(): term.coefficient() for term in expression.terms()} == {"x": 2.0, "y": 0.75}
    assert expression.constant() == -5.0
    assert isinstance(-x, Term)
    assert (-x).coefficient() == -1.0
    constraint = expression >= y
    assert isinstance(constraint, Constraint)
    assert constraint.op() == ">="
    assert constraint.strength() == strength.required


def test_misuse_is_a_python_error():
    x, y = Variable("x"), Variable("y")
    with pytest.raises(TypeError):
        x * y
    with pytest.raises(TypeError):
        Variable(3)
    with pytest.raises(ZeroDivisionError):
        x / 0
    with pytest.raises(ValueError, match="strength"):
        (x == 1) | "mighty"


def test_a_chain_of_boxes():
    edges = [Variable(f"e{i}") for i in range(201)]
    solver = Solver()
    solver.addConstraint(edges[0] == 0)
    for before, after in itertools.pairwise(edges):
        solver.addConstraint(after - before >= 1)
        solver.addConstraint((after - before == 2) | "medium")
    solver.addConstraint(edges[-1] <= 350)
    solver.updateVariables()
    values = [edge.value() for edge in edges]
    assert values[0] == 0
    assert values[-1] == pytest.approx(350)
    assert all(b - a >= 1 - 1e-9 for a, b in itertools.pairwise(values))


def test_random_triangular_systems():
    rng = random.Random(11)
    for _ in range(20):
        wanted = [rng.randint(-50, 50) for _ in range(8)]
        variables = [Variable(str(i)) for i in range(8)]
        constraints = []
        for i, variable in enumerate(variables):
            factors = [rng.randint(-3, 3) for _ in range(i)]
            total = sum(f * w for f, w in zip(factors, wanted, strict=False)) + wanted[i]
            left = variable + sum((f * v for f, v in zip(factors, variables, strict=False)), Expression((), 0))
            constraints.append(left == total)
        rng.shuffle(constraints)
        solve(*constraints)
        assert [v.value() for v in variables] == pytest.approx(wanted, abs=1e-6)


class Owner:
    """Something that can be watched, which kiwisolver's own objects cannot."""


def test_the_garbage_collector_can_clear_cycles_through_every_type():
    variable = Variable("v")
    owner = Owner()
    owner.held = [variable, 2 * variable, variable + 1, variable == 3]
    variable.setContext(owner)
    watch = weakref.ref(owner)
    del variable, owner
    gc.collect()
    assert watch() is None
