"""Each kind of kiwisolver's objects is handed to each that takes it; what C++ holds, and the errors that cross."""

import copy
import itertools
import operator
import pickle

import kiwisolver
import pytest
from kiwisolver import Constraint, Expression, Solver, Term, Variable, strength


def solve(*constraints):
    solver = Solver()
    for constraint in constraints:
        solver.addConstraint(constraint)
    solver.updateVariables()
    return solver


def operands():
    """Return each kind of operand beside its value, once x is 3 and y is -2."""
    x, y = Variable("x"), Variable("y")
    solve(x == 3, y == -2)
    return [(x, 3.0), (4 * y, -8.0), (x * 2 - y / 2 + 1, 8.0), (0.5, 0.5), (7, 7.0)]


def number(value):
    return value.value() if hasattr(value, "value") else value


def test_sums_and_products_of_every_kind_of_operand():
    for (first, a), (second, b) in itertools.product(operands(), operands()):
        assert number(-first) == -a
        for combine in (operator.add, operator.sub):
            assert number(combine(first, second)) == combine(a, b)
        plain = isinstance(first, (int, float)), isinstance(second, (int, float))
        if any(plain):
            assert number(first * second) == a * b
        else:
            with pytest.raises(TypeError, match="unsupported operand"):
                first * second
        if plain[1]:
            assert number(first / second) == a / b
        else:
            with pytest.raises(TypeError, match="unsupported operand"):
                first / second


def test_constraints_between_every_kind_of_operand():
    for (first, a), (second, b) in itertools.product(operands(), operands()):
        if isinstance(first, (int, float)) and isinstance(second, (int, float)):
            continue
        for sign, compare in (("==", operator.eq), ("<=", operator.le), (">=", operator.ge)):
            constraint = compare(first, second) | "weak"
            mirrored = isinstance(first, (int, float)) and {"<=": ">=", ">=": "<="}.get(sign)
            assert constraint.op() == (mirrored or sign)
            assert constraint.strength() == strength.weak
            assert constraint.expression().value() == (b - a if isinstance(first, (int, float)) else a - b)
            assert constraint.violated() is not compare(a, b)
        for compare in (operator.ne, operator.lt, operator.gt):
            with pytest.raises(TypeError, match="unsupported operand"):
                compare(first, second)


def test_like_terms_of_a_constraint_are_added():
    x, y = Variable("x"), Variable("y")
    reduced = Constraint(x + y + 2 * x - 4, ">=", "medium").expression()
    assert sorted((term.coefficient(), term.variable().name()) for term in reduced.terms()) == [(1, "y"), (3, "x")]
    assert all(any(term.variable() is variable for variable in (x, y)) for term in reduced.terms())
    assert repr(2 * x - 1) == "2 * x + -1"
    assert repr((x >= 2) | "strong").startswith("1 * x + -2 >= 0 | strength = 1e+06")
    (term,) = (x == 2).expression().terms()
    assert (repr(term), repr(Term(y, 2)), repr(y)) == ("1 * x", "2 * y", "y")


def test_names_and_contexts_are_kept():
    variable = Variable("\u4e2d\U0001f600" * 50, context := object())
    assert variable.name() == "\u4e2d\U0001f600" * 50
    assert variable.context() is context
    variable.setName("")
    assert (variable.name(), str(variable)) == ("", "")


def test_the_solver_tells_what_it_holds():
    x = Variable("wide")
    constraint = x >= 3
    solver = solve(constraint)
    solver.addEditVariable(x, "weak")
    assert (solver.hasConstraint(constraint), solver.hasEditVariable(x)) == (True, True)
    assert {"Objective", "Tableau", "Edit Variables", "wide", "Constraints"} <= {
        word for line in solver.dumps().splitlines() for word in (line, line.strip())
    }


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
def test_what_is_in_cpp_is_not_copied(again):
    x = Variable("x")
    for value in (x, 2 * x, x + 1, x == 1, Solver()):
        with pytest.raises(TypeError, match="cannot pickle"):
            again(value)


def test_an_error_of_an_iterator_arrives_unchanged():
    x = Variable("x")

    def terms():
        yield Term(x, 2)
        raise LookupError("from Python")

    for _ in range(100):
        with pytest.raises(LookupError, match="from Python"):
            Expression(terms())
    assert Expression(iter([Term(x, 2)]), 5).constant() == 5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: Expression([x]), TypeError, "Expected object of type `Term`"),
        (lambda _: Expression(5), TypeError, "not iterable"),
        (lambda x: Term(x, "2"), TypeError, "Expected object of type `float, int, or long`"),
        (lambda x: x * 10**400, OverflowError, "int too large"),
        (lambda x: Constraint(x + 1, "<"), ValueError, "relational operator must be '=='"),
        (lambda x: Constraint(x, "=="), TypeError, "Expected object of type `Expression`"),
        (lambda x: Solver().addConstraint(x), TypeError, "Expected object of type `Constraint`"),
        (lambda _: Solver(1), TypeError, "takes no arguments"),
        (lambda x: Solver().suggestValue(x, "2"), TypeError, "Expected object of type"),
        (lambda _: strength.create(1, 2, "3"), TypeError, "Expected object of type"),
    ],
)
def test_wrong_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call(Variable("x"))


def test_errors_carry_what_they_are_about():
    x = Variable("x")
    constraint = x == 1
    for call, error, about in (
        (lambda: solve(constraint, constraint), kiwisolver.DuplicateConstraint, constraint),
        (lambda: Solver().removeConstraint(constraint), kiwisolver.UnknownConstraint, constraint),
        (lambda: Solver().removeEditVariable(x), kiwisolver.UnknownEditVariable, x),
    ):
        with pytest.raises(error) as caught:
            call()
        assert getattr(caught.value, caught.value.__slots__[0]) is about
