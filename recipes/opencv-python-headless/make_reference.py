"""Write what the tests compare with: reference.npz, by the published native wheel, and the network attention.onnx.

    python -m pip install opencv-python-headless==5.0.0.93 onnx
    python recipes/opencv-python-headless/make_reference.py

clip.mp4 and clip.webm are those of opencv-python's recipe, whose make_videos.sh makes them.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from views import operations, sample, sequence

HERE = Path(__file__).parent


def model():
    """Return one block of a transformer over 1 x 12 x 16, with fixed weights that are random numbers."""
    random = np.random.RandomState(5)

    def weights(name, *shape):
        return numpy_helper.from_array((random.normal(size=shape) / 4).astype(np.float32), name)

    nodes = [
        helper.make_node("LayerNormalization", ["input", "scale", "bias"], ["normal"], axis=-1),
        *(helper.make_node("MatMul", ["normal", f"w_{name}"], [name]) for name in ("query", "key", "value")),
        helper.make_node("Transpose", ["key"], ["turned"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["query", "turned"], ["product"]),
        helper.make_node("Mul", ["product", "quarter"], ["score"]),
        helper.make_node("Softmax", ["score"], ["attention"], axis=-1),
        helper.make_node("MatMul", ["attention", "value"], ["mixed"]),
        helper.make_node("Add", ["mixed", "input"], ["added"]),
        helper.make_node("MatMul", ["added", "w_out"], ["wide"]),
        helper.make_node("Tanh", ["wide"], ["bent"]),
        helper.make_node("ReduceMean", ["bent", "axes"], ["output"], keepdims=0),
    ]
    initial = [numpy_helper.from_array(np.full(16, 1.5, np.float32), "scale"), weights("bias", 16)]
    initial += [weights(f"w_{name}", 16, 16) for name in ("query", "key", "value")] + [weights("w_out", 16, 7)]
    initial += [numpy_helper.from_array(np.float32(0.25), "quarter"), numpy_helper.from_array(np.array([1]), "axes")]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 12, 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 7])],
        initial,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def main():
    onnx.save(model(), HERE / "attention.onnx")
    cv2.setNumThreads(1)
    kept = {}
    for name, (function, _) in operations().items():
        result = function()
        kept[f"{name}/sample"] = sample(result)
        kept[f"{name}/shape"] = np.array(result.shape)
        kept[f"{name}/mean"] = np.array(result.astype(float).mean())
    net = cv2.dnn.readNetFromONNX(str(HERE / "attention.onnx"))
    net.setInput(sequence())
    kept["net"] = net.forward()
    np.savez_compressed(HERE / "reference.npz", **kept)
    print(kept["net"].tolist())


if __name__ == "__main__":
    main()
