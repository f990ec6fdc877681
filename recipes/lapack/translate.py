"""LAPACK's Fortran in C: what f2c does not read is said otherwise before it, what scipy does not expect goes after it.

    python translate.py OUTPUT SOURCE.f ...

f2c reads Fortran 77. LAPACK 3.12 uses Fortran 90 in 110 of its files: RECURSIVE, EXIT, CYCLE, INTENT, ``::`` and
functions such as MAXLOC. What f2c writes has the calling convention of its own time: subroutines return int, and
the length of each character argument follows at the end. C code that declares LAPACK declares neither, and WebAssembly
calls no function by another signature than its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WITH_LENGTHS = {"xerbla", "xerbla_array", "ilaenv", "ilaenv2stage", "iparmq", "iparam2stage", "lsamen"}
"""Functions that use the length of their texts. LAPACK passes it to them; others do not call them."""

TYPE = r"(?:INTEGER|LOGICAL|REAL|DOUBLE\s+PRECISION|COMPLEX(?:\*16)?|CHARACTER(?:\*\S+)?)"
HUGE = {"s": "3.40282347E+38", "c": "3.40282347E+38", "d": "1.7976931348623157D+308", "z": "1.7976931348623157D+308"}


def main() -> None:
    """Translate the files that the command line names; stop at the first that f2c refuses."""
    output, *sources = map(Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(4) as pool:
        for text in pool.map(lambda source: translate(source, output), sources):
            print(text, end="", file=sys.stderr)


def translate(source: Path, output: Path) -> str:
    """Write OUTPUT/NAME.c for NAME.f or NAME.F; return what f2c warned of."""
    statements = [modernised for s in read(source.read_text("latin-1")) for modernised in older(*s, source.stem)]
    plain = output / f"{source.stem}.f"
    plain.write_text("".join(written(label, text) for label, text in jumps(statements)))
    f2c = subprocess.run(["f2c", "-a", "-A", "-R", plain.name], cwd=output, capture_output=True, text=True, check=False)
    if f2c.returncode:
        sys.exit(f"{source}: f2c: {f2c.stdout}{f2c.stderr}")
    result = plain.with_suffix(".c")
    result.write_text(without_lengths(result.read_text()))
    plain.unlink()
    known = ("recursive call", "never used", "ignoring text after")
    return "".join(
        f"{line}\n" for line in f2c.stderr.splitlines() if "Warning" in line and not any(k in line for k in known)
    )


def read(text: str) -> list[tuple[str, str]]:
    """Return (label, statement) of fixed-form source; lines are joined, comments and what follows #if gone."""
    statements: list[tuple[str, str]] = []
    skipped = False  # what is for OpenMP
    for line in text.splitlines():
        if line.startswith("#"):
            skipped = line.startswith("#if")
            continue
        if skipped or not line.strip() or line[0] in "cC*!":
            continue
        code = without_comment(line[:72]).rstrip()
        if not code.strip():
            continue
        if len(code) > 5 and code[5] not in " 0":
            label, before = statements[-1]
            statements[-1] = (label, before + code[6:])
        else:
            statements.append((code[:5].strip(), code[6:].lstrip()))
    return statements


def without_comment(line: str) -> str:
    """Cut a line at an exclamation mark that stands in no text, nor marks a continuation."""
    quote = ""
    for i, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "!" and i != 5:
            return line[:i]
    return line


def older(label: str, text: str, name: str) -> list[tuple[str, str]]:
    """Return a statement of Fortran 90 as statements of Fortran 77."""
    text = re.sub(r"^RECURSIVE\s+", "", text, flags=re.IGNORECASE)
    single = name[0] in "sc"
    if re.match(r"INTRINSIC\b", text, re.IGNORECASE):
        return [(label, "INTEGER ISCEIL, IDCEIL")] if "CEILING" in text.upper() else []
    if re.match(r"USE\s", text, re.IGNORECASE):
        return []
    text = re.sub(r"\bCEILING(?=\s*\(\s*REAL\b)", "ISCEIL", text, flags=re.IGNORECASE)
    text = re.sub(r"\bCEILING(?=\s*\(\s*DBLE\b)", "IDCEIL", text, flags=re.IGNORECASE)
    text = re.sub(r"\bHUGE\s*\(\s*\w+\s*\)", HUGE.get(name[0], ""), text, flags=re.IGNORECASE)
    if name[0] == "z":
        text = re.sub(r"\bAIMAG\b", "DIMAG", text, flags=re.IGNORECASE)
    text = re.sub(
        r"\bMAXLOC\s*\(\s*(\w+)\s*\(\s*([^:]+):(.+?)\s*\)\s*,\s*1\s*\)",
        rf"I{'S' if single else 'D'}MAXL( \3-(\2)+1, \1( \2 ) )",
        text,
        flags=re.IGNORECASE,
    )
    if section := re.fullmatch(r"(\w+)\s*\(\s*(\d+)\s*:\s*(\d+)\s*\)\s*=\s*(\d+)", text):
        return [(label, f"{section[1]}({i}) = {section[4]}") for i in range(int(section[2]), int(section[3]) + 1)]
    if declared := re.fullmatch(
        rf"({TYPE})((?:\s*,\s*\w+(?:\s*\([^()]*\))?)*)\s*::\s*(.*)", text, re.IGNORECASE | re.DOTALL
    ):
        kind, attributes, names = declared.groups()
        more = [(label, f"EXTERNAL {names}")] if "EXTERNAL" in attributes.upper() else []
        if "PARAMETER" in attributes.upper():
            more.append((label, f"PARAMETER ({names})"))
            names = re.sub(r"\s*=[^,]*", "", names)
        return [(label, f"{kind} {names}"), *more]
    return [(label, re.sub(r"^(EXTERNAL)\s*::\s*", r"\1 ", text, flags=re.IGNORECASE))]


def jumps(statements: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Say EXIT and CYCLE with GOTO."""
    free = iter(range(99000, 99999))
    loops: list[list[str]] = []  # of each loop that is open: its end, the label to cycle to, the label to leave by
    result: list[tuple[str, str]] = []
    for label, text in statements:
        if begun := re.match(r"DO\s*(?:(\d+)\s*,?\s*)?(?:WHILE\b|\w+\s*=|$)", text, re.IGNORECASE):
            loops.append([begun[1] or "", "", ""])
            result.append((label, text if text.strip().upper() != "DO" else "DO WHILE (.TRUE.)"))
            continue
        if jump := re.fullmatch(r"(.*?)\b(EXIT|CYCLE)\s*", text, re.IGNORECASE | re.DOTALL):
            if jump[1].strip() and not re.match(r"IF\s*\(.*\)\s*$", jump[1], re.IGNORECASE | re.DOTALL):
                sys.exit(f"not understood: {text}")
            which = 1 if jump[2].upper() == "CYCLE" else 2
            loops[-1][which] = loops[-1][which] or str(next(free))
            result.append((label, f"{jump[1]}GOTO {loops[-1][which]}"))
            continue
        ended = re.fullmatch(r"END\s*DO", text.strip(), re.IGNORECASE) and not loops[-1][0]
        if not ended and not (label and any(loop[0] == label for loop in loops)):
            result.append((label, text))
            continue
        closing = [loops.pop()]
        while not ended and loops and loops[-1][0] == label:
            closing.append(loops.pop())
        if len(closing) > 1 and any(cycle or leave for _, cycle, leave in closing):
            sys.exit(f"not understood: EXIT or CYCLE in loops that end at one label, {label}")
        if cycle := closing[0][1]:
            result.append((cycle, "CONTINUE"))
        result.append((label, text))
        if leave := closing[0][2]:
            result.append((leave, "CONTINUE"))
    return result


def written(label: str, text: str) -> str:
    """Write a statement in fixed form, 66 columns a line."""
    parts = [text[i : i + 66] for i in range(0, max(len(text), 1), 66)]
    return f"{label:<6}{parts[0]}\n" + "".join(f"     ${part}\n" for part in parts[1:])


def without_lengths(text: str) -> str:
    """Make subroutines void, and leave out the lengths of texts where nothing uses them."""
    text = re.sub(r"^/\* .*? -- translated by f2c.*?\*/\n", "", text, flags=re.DOTALL)
    if re.search(r"^/\* Subroutine \*/ int", text, re.MULTILINE):
        text = text.replace("return 0;", "return;")
    text = text.replace("/* Subroutine */ int", "/* Subroutine */ void")
    text = re.sub(r"\b([a-z]\w*)__(?=\s*\()", r"\1_", text)  # two underscores where the name has one itself
    result, position = [], 0
    for call in re.finditer(r"\b(\w+)_\s*\(", text):
        if call.start() < position or call[1] in WITH_LENGTHS:
            continue
        result.append(text[position : call.end()])
        position = call.end()
        # A call among the arguments is gone through with them; none of those of WITH_LENGTHS is.
        end = closing_bracket(text, position)
        inside = text[position:end]
        inside = re.sub(r",\s*\(\s*ftnlen\s*\)\s*\d+", "", inside)
        inside = re.sub(r",\s*ftnlen(\s+\w+)?(?=\s*[,)]|\s*$)", "", inside)
        result.append(inside)
        position = end
    return "".join(result) + text[position:]


def closing_bracket(text: str, position: int) -> int:
    """Return where the bracket that was opened before ``position`` is closed."""
    depth = 1
    for match in re.compile(r'"(?:\\.|[^"\\])*"|[()]').finditer(text, position):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    raise ValueError("a bracket is never closed")


if __name__ == "__main__":
    main()
