"""Trains the two models from scikit-learn's digits, writes them as ONNX and says how good they are.

    python demo/training/train_models.py            trains both, about 20 seconds on one core
    python demo/training/train_models.py --check    says how good the models in the package are, and trains nothing

The data ships with scikit-learn: 1,797 digits of 8 x 8 pixels by 43 writers (UCI repository, Optical Recognition of
Handwritten Digits, the test part). A third is held out; what is said of accuracy is said of that third.
Needs numpy, opencv-python, scikit-learn, onnx and onnxruntime.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

import onnxruntime

MODELS = Path(__file__).parents[1] / "inkreader" / "src" / "inkreader" / "models"
SEED = 7
OPSET = 13
"""Old enough for OpenCV 4's importer and ONNX Runtime alike."""
HIDDEN = 64
COPIES = 9
"""How many turned, sheared and shifted copies of each digit are trained on."""
WINDOW = 9
"""Side, in pixels, of what the cleaning model sees around each pixel."""
CHANNELS = 16
PAGES = (48, 12)
"""Pages that are made up for training and for testing the cleaning model."""
PAGE = (108, 192)


def digits_data() -> tuple[Any, Any, Any, Any]:
    """Return digits for training and held out, float32 of 0 to 1, N x 8 x 8, and the labels of both."""
    data = load_digits()
    pictures = (data.images / 16).astype(np.float32)
    train, test, labels, held = train_test_split(pictures, data.target, test_size=1 / 3, random_state=SEED)
    return train, test, labels, held


def vary(picture: Any, random: np.random.Generator) -> Any:
    """Return a digit turned by up to 12 degrees, sheared, scaled and shifted a little."""
    angle = np.deg2rad(random.uniform(-12, 12))
    shear, scale = random.uniform(-0.15, 0.15), random.uniform(0.9, 1.1)
    turn = scale * np.array([[np.cos(angle), shear - np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([3.5, 3.5])
    move = centre - turn @ centre + random.uniform(-0.6, 0.6, 2)
    return np.clip(cv2.warpAffine(picture, np.column_stack([turn, move]), (8, 8), flags=cv2.INTER_LINEAR), 0, 1)


def train_digits() -> onnx.ModelProto:
    """Return the model for digits: float32 N x 1 x 8 x 8 -> logits, N x 10."""
    random = np.random.default_rng(SEED)
    pictures, _, labels, _ = digits_data()
    more = [vary(picture, random) for picture in pictures for _ in range(COPIES)]
    x = np.concatenate([pictures, np.array(more)]).reshape(-1, 64)
    y = np.concatenate([labels, np.repeat(labels, COPIES)])
    network = fit(MLPClassifier((HIDDEN,), random_state=SEED, max_iter=50, batch_size=64, alpha=3e-3), x, y)
    weights = {f"w{i}": each.astype(np.float32) for i, each in enumerate(network.coefs_)}
    weights |= {f"b{i}": each.astype(np.float32) for i, each in enumerate(network.intercepts_)}
    nodes = [
        helper.make_node("Flatten", ["digits"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "w0", "b0"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["active"]),
        helper.make_node("Gemm", ["active", "w1", "b1"], ["logits"]),
    ]
    return model("digits", nodes, weights, ("digits", ["N", 1, 8, 8]), ("logits", ["N", 10]))


def page(random: np.random.Generator, digits: Any) -> tuple[Any, Any]:
    """Return a made-up photograph of a page, float32 of 0 to 1, and where its ink is (bool), both of `PAGE`."""
    rows, columns = PAGE
    ink = np.zeros(PAGE, np.float32)
    for _ in range(random.integers(10, 30)):
        side = int(random.integers(10, 30))
        y, x = random.integers(0, rows - side), random.integers(0, columns - side)
        stroke = cv2.resize(digits[random.integers(len(digits))], (side, side), interpolation=cv2.INTER_CUBIC)
        ink[y : y + side, x : x + side] = np.maximum(ink[y : y + side, x : x + side], np.clip(stroke, 0, 1))
    v, u = np.mgrid[0:rows, 0:columns] / np.array(PAGE).reshape(2, 1, 1)
    angle = random.uniform(0, 2 * np.pi)
    light = random.uniform(0.5, 0.95) + random.uniform(0, 0.35) * (
        np.cos(angle) * (u - 0.5) + np.sin(angle) * (v - 0.5)
    )
    edge = random.uniform(0.2, 0.8) + random.uniform(-0.5, 0.5) * (v - 0.5)
    shadow = 1 - random.uniform(0, 0.4) / (1 + np.exp(-(u - edge) / random.uniform(0.01, 0.1)))
    paper = light * shadow
    photograph = paper * (1 - random.uniform(0.35, 0.85) * ink) + random.normal(0, random.uniform(0.005, 0.03), PAGE)
    return np.clip(photograph, 0, 1).astype(np.float32), ink > 0.5


def pages() -> tuple[list[tuple[Any, Any]], list[tuple[Any, Any]]]:
    """Return pages for training and held out; the digits on the latter are the held out ones."""
    random = np.random.default_rng(SEED)
    train, test, _, _ = digits_data()
    return [page(random, train) for _ in range(PAGES[0])], [page(random, test) for _ in range(PAGES[1])]


def train_clean() -> onnx.ModelProto:
    """Return the cleaning model: float32 N x 1 x H x W, grey from 0 to 1 -> how likely each pixel is ink, same shape.

    What is trained is a perceptron on the window around a pixel: run over a picture that is a convolution.
    """
    random = np.random.default_rng(SEED)
    x, y = [], []
    for photograph, ink in pages()[0]:
        margin = WINDOW // 2
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(photograph, margin), (WINDOW, WINDOW))
        chosen = random.choice(ink.size, 2500, replace=False)
        x.append(windows.reshape(-1, WINDOW * WINDOW)[chosen])
        y.append(ink.ravel()[chosen])
    network = MLPClassifier((CHANNELS,), random_state=SEED, max_iter=30, batch_size=512, learning_rate_init=3e-3)
    network = fit(network, np.concatenate(x), np.concatenate(y))
    (w0, w1), (b0, b1) = network.coefs_, network.intercepts_
    weights = {
        "w0": w0.T.reshape(CHANNELS, 1, WINDOW, WINDOW).astype(np.float32),
        "b0": b0.astype(np.float32),
        "w1": w1.T.reshape(1, CHANNELS, 1, 1).astype(np.float32),
        "b1": b1.astype(np.float32),
    }
    padding = [WINDOW // 2] * 4
    nodes = [
        helper.make_node("Conv", ["grey", "w0", "b0"], ["seen"], kernel_shape=[WINDOW, WINDOW], pads=padding),
        helper.make_node("Relu", ["seen"], ["active"]),
        helper.make_node("Conv", ["active", "w1", "b1"], ["logit"], kernel_shape=[1, 1]),
        helper.make_node("Sigmoid", ["logit"], ["likely"]),
    ]
    return model("clean", nodes, weights, ("grey", ["N", 1, "H", "W"]), ("likely", ["N", 1, "H", "W"]))


def fit(network: MLPClassifier, x: Any, y: Any) -> MLPClassifier:
    """Return ``network`` trained for as many rounds as it may have: that it could go on is no warning here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(x, y)


def model(name: str, nodes: list[Any], weights: dict[str, Any], given: tuple[str, Any], made: tuple[str, Any]) -> Any:
    """Return a checked ONNX model of float32."""
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(given[0], TensorProto.FLOAT, given[1])],
        [helper.make_tensor_value_info(made[0], TensorProto.FLOAT, made[1])],
        [numpy_helper.from_array(np.ascontiguousarray(value), key) for key, value in weights.items()],
    )
    # IR version 7 goes with opset 13 (ONNX, docs/Versioning.md).
    made_model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=7)
    made_model.producer_name = "demo/training/train_models.py"
    onnx.checker.check_model(made_model, full_check=True)
    return made_model


def quality(folder: Path) -> dict[str, Any]:
    """Return how good the models in ``folder`` are on what was held out."""
    _, pictures, _, labels = digits_data()
    logits = _run(folder / "digits.onnx", pictures[:, np.newaxis])
    right = logits.argmax(axis=1) == labels
    held = pages()[1]
    learned = [_run(folder / "clean.onnx", photograph[np.newaxis, np.newaxis])[0, 0] > 0.5 for photograph, _ in held]
    otsu = [
        cv2.threshold(np.round(each * 255).astype(np.uint8), 0, 1, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)[1] > 0
        for each, _ in held
    ]
    truth = np.concatenate([ink for _, ink in held])
    return {
        "digits": {"pictures": len(labels), "accuracy": round(float(right.mean()), 4)},
        "clean": {
            "pages": len(held),
            "f1": round(f1(np.concatenate(learned), truth), 4),
            "f1 of a threshold": round(f1(np.concatenate(otsu), truth), 4),
        },
    }


def f1(found: Any, truth: Any) -> float:
    """Return the F1 score of two masks: the harmonic mean of precision and recall."""
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def _run(path: Path, batch: Any) -> Any:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: batch})[0]


def main() -> None:
    """Train, write and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="judge the models that are there")
    parser.add_argument("--output", type=Path, default=MODELS, help="where the models go (the package)")
    arguments = parser.parse_args()
    if not arguments.check:
        for name, trained in (("digits", train_digits()), ("clean", train_clean())):
            path = arguments.output / f"{name}.onnx"
            path.write_bytes(trained.SerializeToString(deterministic=True))
            print(f"{path}: {path.stat().st_size:,} bytes")
    print(json.dumps(quality(arguments.output), indent=1))


if __name__ == "__main__":
    main()
