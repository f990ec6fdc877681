"""The demo's script as on a server, on real OpenCV and ONNX Runtime: what it reads, and what it says of bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from demo_inputs import huge_png, unknown_operator

from inkreader import ENGINES, TASKS, ModelError, PictureError, ink, pictures, read
from inkreader.engines import open_model
from inkreader.server import main
from sample_pages import encoded, page
from train_models import digits_data, f1, quality, train_digits
from train_models import page as small_page

DEMO = Path(__file__).resolve().parents[2] / "demo"
MODELS = DEMO / "inkreader" / "src" / "inkreader" / "models"


@pytest.mark.parametrize("engine", ENGINES)
def test_digits_of_a_page(engine):
    data, labels = encoded(3)
    answer = read(data, engine=engine)
    assert answer.text == "".join(map(str, labels))
    assert len(answer.contours) >= len(labels)
    assert all(0.3 < each["confidence"] <= 1 for each in answer.digits)
    assert list(answer.milliseconds) == ["decode", "find ink", "load model", "run model", "draw", "encode"]
    drawn = cv2.imdecode(np.frombuffer(answer.picture, np.uint8), cv2.IMREAD_COLOR)
    assert drawn.shape == (1080, 1920, 3)
    x, y, _, height = answer.digits[0]["box"]
    assert (drawn[y + height // 2, x] == (60, 160, 0)).all(), "no box was drawn"


@pytest.mark.parametrize("engine", ENGINES)
def test_clean_finds_more_than_a_threshold(engine):
    random = np.random.default_rng(11)
    _, held, _, _ = digits_data()
    photograph, truth = small_page(random, held)
    picture = cv2.cvtColor(np.round(photograph * 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    answer = read(pictures.encode(picture), task="clean", engine=engine)
    drawn = pictures.decode(answer.picture)
    assert drawn.shape == picture.shape
    # Where a border is drawn nothing is said; elsewhere black is ink and white is paper.
    plain = (drawn[..., 0] == drawn[..., 1]) & (drawn[..., 1] == drawn[..., 2])
    assert f1((drawn[..., 0] < 128)[plain], truth[plain]) > f1(ink.find(picture).mask > 0, truth)


def test_small_is_a_tenth_of_1080p():
    found = ink.find(page(1)[0])
    assert found.small.shape == (108, 192)
    assert found.hierarchy.shape == (len(found.contours), 4)
    joined, steps = found.contours[0][:, 0], np.abs(np.diff(found.contours[0][:, 0], axis=0))
    assert joined.shape[1] == 2
    assert steps.max() == 1, "CHAIN_APPROX_NONE leaves no point of a border out"


def test_nothing_on_the_page():
    blank = np.full((200, 300, 3), 240, np.uint8)
    answer = read(pictures.encode(blank))
    assert (answer.text, answer.digits) == ("", [])


def test_both_engines_agree_on_what_was_held_out():
    _, held, _, labels = digits_data()
    logits = [open_model("digits", engine).run(held[:, np.newaxis]) for engine in ENGINES]
    assert len(labels) >= 500
    assert np.abs(logits[0] - logits[1]).max() < 1e-4
    assert (logits[0].argmax(axis=1) == logits[1].argmax(axis=1)).all()


def test_stated_quality_is_that_of_the_models():
    stated = (DEMO / "README.md").read_text(encoding="utf-8")
    found = quality(MODELS)
    assert f"{found['digits']['accuracy']:.2%}" in stated
    assert f"{found['clean']['f1']:.3f}" in stated
    assert f"{found['clean']['f1 of a threshold']:.3f}" in stated


def test_training_gives_such_a_model(tmp_path):
    """Not the same bytes: the order of sums differs between machines."""
    (tmp_path / "digits.onnx").write_bytes(train_digits().SerializeToString())
    (tmp_path / "clean.onnx").write_bytes((MODELS / "clean.onnx").read_bytes())
    assert quality(tmp_path)["digits"]["accuracy"] > 0.975
    assert onnx.load(MODELS / "digits.onnx").graph.output[0].name == "logits"


def test_command_line(tmp_path, capsys):
    data, labels = encoded(3)
    (tmp_path / "page.png").write_bytes(data)
    history = tmp_path / "history.jsonl"
    for task in TASKS:
        assert main([str(tmp_path / "page.png"), "--task", task, "--json", "--history", str(history)]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0]["text"] == "".join(map(str, labels))
    assert [json.loads(line)["task"] for line in history.read_text().splitlines()] == list(TASKS)
    assert pictures.decode((tmp_path / "page.answer.png").read_bytes()).shape == (1080, 1920, 3)


def test_it_is_an_ordinary_program():
    done = subprocess.run(
        [sys.executable, "-m", "inkreader", str(DEMO / "no such file.png")],
        env={"PYTHONPATH": str(DEMO / "inkreader" / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "No such file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b"Dear Sir or Madam", "not a picture"),
        (huge_png(12_000), "too large: more than 50 million pixels"),
    ],
    ids=["empty", "text", "huge"],
)
def test_bad_picture(data, words):
    with pytest.raises(PictureError, match=words):
        read(data)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("model", "words"),
    [(b"not a model", "damaged"), (unknown_operator(), "does not know an operator")],
    ids=["broken", "operator"],
)
def test_bad_model(model, words, engine, tmp_path, capsys):
    data, _ = encoded(3)
    with pytest.raises(ModelError, match=words):
        read(data, engine=engine, model=model)
    (tmp_path / "page.png").write_bytes(data)
    (tmp_path / "odd.onnx").write_bytes(model)
    assert main([str(tmp_path / "page.png"), "--engine", engine, "--model", str(tmp_path / "odd.onnx")]) == 1
    assert words in capsys.readouterr().err
