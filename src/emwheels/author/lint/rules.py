"""The rules of lint in words: what ``emwheels lint --rules`` prints."""

from __future__ import annotations

from emwheels.author.lint.model import LintRule

RULES: dict[str, LintRule] = {
    "format": LintRule(
        what="meta.yaml, a patch or another file of the recipe cannot be used as it is",
        why="no command works with the recipe until it is mended",
        mend="do what the message says",
        acceptable=False,
    ),
    "name": LintRule(
        what="the recipe's name is not normalised (PEP 503)",
        why="people and programs look for the folder under the normalised name",
        mend="rename the folder and package.name: lower case, with hyphens",
    ),
    "version": LintRule(
        what="package.version and the version in source.url disagree",
        why="the wheel would carry a version that it is not",
        mend="correct the one that is wrong",
    ),
    "twice": LintRule(
        what="a list of requirements names something twice",
        why="whoever removes one of the two changes nothing and does not notice",
        mend="remove one",
        mends=True,
    ),
    "order": LintRule(
        what="requirements.run is not in alphabetical order",
        why="sorted lists give small diffs and no doubles. The order of host requirements means something, so it stays",
        mend="sort the list",
        mends=True,
    ),
    "run": LintRule(
        what="a package that the recipe compiles against is no run requirement",
        why="its module calls that package when it is imported, and the package would not be installed",
        mend="add it to requirements.run",
        mends=True,
    ),
    "host": LintRule(
        what="the lock pins a package that others compile against, and requirements.host does not name it",
        why="the build would use the headers of the native package; the wheel then fails at run time",
        mend="add it to requirements.host, lock again",
    ),
    "lock": LintRule(
        what="a lock is missing, or lacks what the recipe requires now",
        why="the build or the tests stop for it, after minutes",
        mend="run emwheels lock NAME",
    ),
    "licence": LintRule(
        what="about.license is missing or no SPDX expression",
        why="the SBOM of the wheel names the licence; programs that check licences read SPDX alone",
        mend="write an expression of identifiers from the SPDX list, such as MIT or BSD-3-Clause AND Zlib",
        mends=True,
    ),
    "about": LintRule(
        what="about.home or about.summary is missing",
        why="emwheels list and the status page show them",
        mend="add it",
    ),
    "top-level": LintRule(
        what="package.top-level names a module that the built wheel does not have",
        why="users of the recipe import what it names",
        mend="correct the list",
    ),
    "selector": LintRule(
        what="a line ends with a selector of conda, or has a template in it",
        why="nothing reads it here: the line counts for every target",
        mend="remove it",
    ),
    "blanks": LintRule(
        what="a line has a tab or blanks at its end, or the file ends in the middle of a line",
        why="such lines differ without a difference that you see",
        mend="remove them",
        mends=True,
    ),
    "patch": LintRule(
        what="a patch changes nothing, or its header has one line only",
        why="nobody can tell later why it is there, where it was reported and when it can go",
        mend="say so above the first --- line, or remove the patch",
    ),
    "unused": LintRule(
        what="a patch or a lock is there that nothing uses",
        why="readers take it for something that counts",
        mend="remove it, or name it where it belongs",
    ),
    "no-test": LintRule(
        what="a package has no test",
        why="it would be published without being imported once",
        mend="write test_NAME.py in the recipe's folder",
    ),
    "no-check": LintRule(
        what="a test checks nothing",
        why="it passes whatever the package does",
        mend="assert something in it",
    ),
    "ruff": LintRule(
        what="ruff finds fault with a test",
        why="tests are code that others read",
        mend="run ruff check --fix on the file, or do what the message says",
    ),
    "acceptance": LintRule(
        what="an entry of extra.emwheels.lint accepts nothing, or has no rule or reason",
        why="it would hide a fault of tomorrow",
        mend="correct or remove the entry",
        acceptable=False,
    ),
}
"""Name of the rule -> the rule."""
