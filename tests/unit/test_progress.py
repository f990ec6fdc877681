from __future__ import annotations

import threading

from emwheels.progress import Board, print_table


def test_phases_of_several_threads_are_on_one_board(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    board = Board()
    both, left = threading.Barrier(2), []

    def work(name):
        with board.phase(name, "compile"):
            both.wait(timeout=10)
            left.append(len(board._progress.tasks))
            board.download(f"{name}.tar.gz", 5_000_000, 10_000_000)
            both.wait(timeout=10)
        board.say(name, "done")

    threads = [threading.Thread(target=work, args=(name,)) for name in ("numpy", "xxhash")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert left == [2, 2]
    assert board._progress is None, "the terminal is given back when nothing runs"
    said = capfd.readouterr().err
    assert "numpy" in said
    assert "xxhash" in said


def test_without_a_terminal_each_phase_is_a_line(monkeypatch, capfd):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    board = Board()
    with board.phase("numpy", "compile"):
        board.say("numpy", "[not markup]")
    lines = capfd.readouterr().err.splitlines()
    assert [line.split(" ", 1)[1] for line in lines] == ["numpy: compile", "numpy: [not markup]"]


def test_a_table_has_every_cell_to_the_letter_and_folds_long_ones(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "24")
    print_table(("name", "bytes"), [("a[dev]", "5"), ("[bold]b", "1,234"), ("c" * 30, "")], right=("bytes",))
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert [line.split() for line in lines[:3]] == [["name", "bytes"], ["a[dev]", "5"], ["[bold]b", "1,234"]]
    assert lines[0].index("bytes") + len("bytes") == len(lines[1]) == len(lines[2]) <= 24
    assert "".join(line.strip() for line in lines[3:]) == "c" * 30


def test_a_table_without_headings(capsys):
    print_table((), [("", "a", "b")])
    assert capsys.readouterr().out.rstrip() == "  a  b"


def test_how_far_a_phase_is_goes_to_its_row(monkeypatch, capfd):
    monkeypatch.setenv("FORCE_COLOR", "1")
    board = Board()
    with board.phase("numpy", "compile"):
        board.further("numpy", "compile 112 of 285, about 3 min")
        assert [task.description for task in board._progress.tasks] == ["compile 112 of 285, about 3 min"]
        board.further("scipy", "compile 1 of 2")
        assert len(board._progress.tasks) == 1
    capfd.readouterr()


def test_how_far_a_phase_is_without_a_terminal_is_a_line(monkeypatch, capfd):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    board = Board()
    with board.phase("numpy", "compile"):
        board.further("numpy", "compile 112 of 285, about 3 min")
    assert "numpy: compile 112 of 285, about 3 min" in capfd.readouterr().err
