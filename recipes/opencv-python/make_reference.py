"""Write what the tests compare with: reference.npz, by the published native wheel of opencv-python.

    python -m pip install opencv-python==4.14.0.94 onnx
    python recipes/opencv-python/make_reference.py

Writes tiny.onnx as well: a network with fixed weights that are random numbers.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from scene import net_inputs, operations, panorama, sample

HERE = Path(__file__).parent


def model():
    """Return a classifier of 3 x 32 x 32: convolutions, pooling, a residual connection, a dense layer, softmax."""
    random = np.random.RandomState(1)

    def weights(name, *shape):
        values = (random.randn(*shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
        return numpy_helper.from_array(values, name)

    nodes = [
        helper.make_node("Conv", ["input", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2", "b2"], ["c2"], pads=[1, 1, 1, 1]),
        helper.make_node("Add", ["c2", "p1"], ["a2"]),
        helper.make_node("Sigmoid", ["a2"], ["s2"]),
        helper.make_node("GlobalAveragePool", ["s2"], ["g2"]),
        helper.make_node("Flatten", ["g2"], ["f2"]),
        helper.make_node("Gemm", ["f2", "w3", "b3"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["output"], axis=1),
    ]
    initial = [weights("w1", 8, 3, 3, 3), weights("b1", 8), weights("w2", 8, 8, 3, 3), weights("b2", 8)]
    initial += [weights("w3", 8, 5), weights("b3", 5)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 5])],
        initial,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made)
    return made


def main():
    onnx.save(model(), HERE / "tiny.onnx")
    cv2.setNumThreads(1)
    kept = {}
    for name, (function, _) in operations().items():
        result = function()
        kept[f"{name}/sample"] = sample(result)
        kept[f"{name}/shape"] = np.array(result.shape)
        kept[f"{name}/mean"] = np.array(result.astype(float).mean())
    net = cv2.dnn.readNetFromONNX(str(HERE / "tiny.onnx"))
    for name, blob in net_inputs().items():
        net.setInput(blob)
        kept[f"net/{name}"] = net.forward()
    status, pano = cv2.Stitcher.create(cv2.Stitcher_PANORAMA).stitch(panorama())
    assert status == cv2.Stitcher_OK, status
    kept["panorama/shape"] = np.array(pano.shape)
    np.savez_compressed(HERE / "reference.npz", **kept)
    print({name: value.tolist() for name, value in kept.items() if name.startswith(("net/", "panorama"))})


if __name__ == "__main__":
    main()
