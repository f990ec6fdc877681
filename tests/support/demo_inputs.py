"""What a user may drop on the demo's page by mistake."""

from __future__ import annotations

import struct
import zlib

from onnx import TensorProto, helper


def unknown_operator():
    """Return a model with an operator that no engine has."""
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 1, 8, 8]) for name in ("given", "made"))
    graph = helper.make_graph([helper.make_node("Frobnicate", ["given"], ["made"], name="odd")], "odd", [given], [made])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7).SerializeToString()


def huge_png(side):
    """Return a black picture of ``side`` x ``side`` pixels as a PNG file (RFC 2083)."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    rows = zlib.compressobj(1)
    packed = b"".join(rows.compress(bytes(side + 1)) for _ in range(side)) + rows.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
