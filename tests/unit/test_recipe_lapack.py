"""The translator of the recipe for LAPACK: Fortran 90 said in Fortran 77, and f2c's C as others declare it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

PLACE = Path(__file__).parents[2] / "recipes" / "lapack" / "translate.py"
SPEC = importlib.util.spec_from_file_location("translate", PLACE)
assert SPEC is not None
assert SPEC.loader is not None
translate = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(translate)


def test_lines_are_joined_and_comments_gone():
    source = """\
*     A comment
      CALL FIRST( A,   ! one
     $            'it''s ! text' )
#if defined(_OPENMP)
      CALL NEVER
#else
      CALL SECOND
#endif
   10 CONTINUE
"""
    assert translate.read(source) == [
        ("", "CALL FIRST( A,            'it''s ! text' )"),
        ("", "CALL SECOND"),
        ("10", "CONTINUE"),
    ]


@pytest.mark.parametrize(
    ("statement", "name", "expected"),
    [
        ("RECURSIVE SUBROUTINE DPOTRF2( N )", "dpotrf2", ["SUBROUTINE DPOTRF2( N )"]),
        ("INTEGER, INTENT( IN ) :: N, LDA", "dlaqz1", ["INTEGER N, LDA"]),
        ("DOUBLE PRECISION, EXTERNAL :: DLAMCH", "dlaqz1", ["DOUBLE PRECISION DLAMCH", "EXTERNAL DLAMCH"]),
        ("REAL, PARAMETER :: ZERO = 0.0", "slaqz1", ["REAL ZERO", "PARAMETER (ZERO = 0.0)"]),
        ("CHARACTER :: JBCMPZ*3", "dlaqz0", ["CHARACTER JBCMPZ*3"]),
        ("EXTERNAL :: XERBLA", "dlaqz0", ["EXTERNAL XERBLA"]),
        ("INTRINSIC MAX, SQRT", "dgetrf", []),
        ("INTRINSIC MAX, CEILING", "dgetsqrhrt", ["INTEGER ISCEIL, IDCEIL"]),
        ("N = CEILING( REAL( M ) / 2 )", "dsytrd_sb2st", ["N = ISCEIL( REAL( M ) / 2 )"]),
        ("PARAMETER ( HUGENUM = HUGE(ZERO) )", "disnan", ["PARAMETER ( HUGENUM = 1.7976931348623157D+308 )"]),
        ("PVT = MAXLOC( WORK( 1:N ), 1 )", "cpstf2", ["PVT = ISMAXL( N-(1)+1, WORK( 1 ) )"]),
        ("I = MAXLOC( WORK( (N+J):(2*N) ), 1 )", "zpstf2", ["I = IDMAXL( (2*N)-((N+J))+1, WORK( (N+J) ) )"]),
        ("IWORK(1:3) = 0", "dgejsv", ["IWORK(1) = 0", "IWORK(2) = 0", "IWORK(3) = 0"]),
        ("JBCMPZ( 1:1 ) = WANTS", "dlaqz0", ["JBCMPZ( 1:1 ) = WANTS"]),
        ("X = AIMAG( Z )", "zgeev", ["X = DIMAG( Z )"]),
        ("X = AIMAG( Z )", "cgeev", ["X = AIMAG( Z )"]),
    ],
)
def test_statements_of_fortran_90(statement, name, expected):
    assert [text for _, text in translate.older("", statement, name)] == expected


def test_exit_and_cycle_become_jumps():
    statements = [
        ("", "DO I = 1, N"),
        ("", "IF( A( I ).EQ.ZERO ) CYCLE"),
        ("", "DO WHILE( X.GT.0 )"),
        ("", "IF( X.GT.1 ) EXIT"),
        ("", "END DO"),
        ("", "ENDDO"),
    ]
    assert translate.jumps(statements) == [
        ("", "DO I = 1, N"),
        ("", "IF( A( I ).EQ.ZERO ) GOTO 99000"),
        ("", "DO WHILE( X.GT.0 )"),
        ("", "IF( X.GT.1 ) GOTO 99001"),
        ("", "END DO"),
        ("99001", "CONTINUE"),
        ("99000", "CONTINUE"),
        ("", "ENDDO"),
    ]


def test_exit_from_loops_that_end_at_one_label_is_refused():
    statements = [("", "DO 10 I = 1, N"), ("", "DO 10 J = 1, N"), ("", "EXIT"), ("10", "CONTINUE")]
    with pytest.raises(SystemExit, match="one label, 10"):
        translate.jumps(statements)
    assert translate.jumps([*statements[:2], statements[3]]) == [*statements[:2], statements[3]]


def test_a_jump_that_is_not_understood_ends_the_run():
    with pytest.raises(SystemExit, match="not understood"):
        translate.jumps([("", "DO I = 1, N"), ("", "ELSE EXIT"), ("", "ENDDO")])


@given(st.text("ABC123=+*(),.", min_size=1, max_size=300))
def test_what_is_written_is_read_as_it_was(statement):
    lines = translate.written("10", statement)
    assert all(len(line) <= 72 for line in lines.splitlines())
    assert translate.read(lines) == [("10", statement)]


def test_lengths_go_and_subroutines_return_nothing():
    c = """\
/* dgetrs.f -- translated by f2c (version 20240504). */
/* Subroutine */ int dgetrs_(char *trans, integer *n, ftnlen trans_len)
{
    extern logical lsame_(char *, char *, ftnlen,
\t    ftnlen);
    extern /* Subroutine */ int xerbla_(char *, integer *, ftnlen), s_copy(char *, char *, ftnlen, ftnlen);
    if (! lsame_(trans, "N(", (ftnlen)1, (
\t    ftnlen)1)) {
\txerbla_("DGETRS", &i__1, (ftnlen)6);
\ts_copy(a, "B", (ftnlen)1, (ftnlen)1);
\tn = droundup_lwork__(&lwork);
\treturn 0;
    }
    return 0;
}
"""
    assert (
        translate.without_lengths(c)
        == """\
/* Subroutine */ void dgetrs_(char *trans, integer *n)
{
    extern logical lsame_(char *, char *);
    extern /* Subroutine */ void xerbla_(char *, integer *, ftnlen), s_copy(char *, char *, ftnlen, ftnlen);
    if (! lsame_(trans, "N(")) {
\txerbla_("DGETRS", &i__1, (ftnlen)6);
\ts_copy(a, "B", (ftnlen)1, (ftnlen)1);
\tn = droundup_lwork_(&lwork);
\treturn;
    }
    return;
}
"""
    )
