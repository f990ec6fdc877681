from __future__ import annotations

import threading

from emwheels.progress import Board


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
