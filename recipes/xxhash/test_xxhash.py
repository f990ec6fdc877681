"""xxHash against its published vectors and against XXH32 and XXH64 written out in Python."""

import pytest
import xxhash
from xxhash import _xxhash

MASK32 = 2**32 - 1
MASK64 = 2**64 - 1
PRIME32 = 2654435761
PRIME64 = 11400714785074694797


def sanity_buffer(length):
    """Return the pseudo-random bytes that the vectors of the xxHash specification are made from."""
    state, out = PRIME32, bytearray()
    for _ in range(length):
        out.append(state >> 56)
        state = state * PRIME64 & MASK64
    return bytes(out)


def rotl(value, count, bits):
    return (value << count | value >> (bits - count)) & (2**bits - 1)


def xxh32(data, seed=0):
    """XXH32 as its specification describes it, step by step."""
    p1, p2, p3, p4, p5 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1
    words = [int.from_bytes(data[i : i + 4], "little") for i in range(0, len(data) - len(data) % 4, 4)]
    stripes = len(data) // 16
    if stripes:
        lanes = [seed + p1 + p2 & MASK32, seed + p2 & MASK32, seed & MASK32, seed - p1 & MASK32]
        for i, word in enumerate(words[: stripes * 4]):
            lanes[i % 4] = rotl(lanes[i % 4] + word * p2 & MASK32, 13, 32) * p1 & MASK32
        acc = sum(rotl(lane, turn, 32) for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True))
    else:
        acc = seed + p5
    acc = acc + len(data) & MASK32
    for word in words[stripes * 4 :]:
        acc = rotl(acc + word * p3 & MASK32, 17, 32) * p4 & MASK32
    for byte in data[len(words) * 4 :]:
        acc = rotl(acc + byte * p5 & MASK32, 11, 32) * p1 & MASK32
    acc = (acc ^ acc >> 15) * p2 & MASK32
    acc = (acc ^ acc >> 13) * p3 & MASK32
    return acc ^ acc >> 16


def xxh64(data, seed=0):
    """XXH64 as its specification describes it, step by step."""
    p1, p2, p3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
    p4, p5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5

    def mix(acc, lane):
        return rotl(acc + lane * p2 & MASK64, 31, 64) * p1 & MASK64

    position = 0
    if len(data) >= 32:
        lanes = [seed + p1 + p2 & MASK64, seed + p2 & MASK64, seed & MASK64, seed - p1 & MASK64]
        while position + 32 <= len(data):
            for i in range(4):
                lanes[i] = mix(lanes[i], int.from_bytes(data[position : position + 8], "little"))
                position += 8
        acc = sum(rotl(lane, turn, 64) for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True)) & MASK64
        for lane in lanes:
            acc = ((acc ^ mix(0, lane)) * p1 + p4) & MASK64
    else:
        acc = seed + p5 & MASK64
    acc = acc + len(data) & MASK64
    while position + 8 <= len(data):
        acc ^= mix(0, int.from_bytes(data[position : position + 8], "little"))
        acc = rotl(acc, 27, 64) * p1 + p4 & MASK64
        position += 8
    if position + 4 <= len(data):
        acc ^= int.from_bytes(data[position : position + 4], "little") * p1 & MASK64
        acc = rotl(acc, 23, 64) * p2 + p3 & MASK64
        position += 4
    for byte in data[position:]:
        acc = rotl(acc ^ byte * p5 & MASK64, 11, 64) * p1 & MASK64
    acc = (acc ^ acc >> 33) * p2 & MASK64
    acc = (acc ^ acc >> 29) * p3 & MASK64
    return acc ^ acc >> 32


def test_c_extension_is_in_use():
    assert xxhash.xxh64 is _xxhash.xxh64
    assert _xxhash.__file__.endswith((".so", ".pyd"))
    assert xxhash.XXHASH_VERSION.split(".")[0] == "0"


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("xxh32", b"", "02cc5d05"),
        ("xxh32", b"a", "550d7456"),
        ("xxh32", b"abc", "32d153ff"),
        ("xxh32", b"Nobody inspects the spammish repetition", "e2293b2f"),
        ("xxh64", b"", "ef46db3751d8e999"),
        ("xxh64", b"a", "d24ec4f1a98c6e5b"),
        ("xxh64", b"abc", "44bc2cf5ad770999"),
        ("xxh64", b"Nobody inspects the spammish repetition", "fbcea83c8a378bf1"),
        ("xxh3_64", b"", "2d06800538d394c2"),
        ("xxh3_64", b"abc", "78af5f94892f3950"),
        ("xxh3_128", b"", "99aa06d3014798d86001c324468d497f"),
        ("xxh3_128", b"abc", "06b05ab6733a618578af5f94892f3950"),
    ],
)
def test_published_digests(name, data, expected):
    assert getattr(xxhash, name)(data).hexdigest() == expected


@pytest.mark.parametrize(
    ("length", "seed", "expected"),
    [
        (0, 0, 0x2D06800538D394C2),
        (0, PRIME64, 0xA8A6B918B2F0364A),
        (1, 0, 0xC44BDFF4074EECDB),
        (1, PRIME64, 0x032BE332DD766EF8),
        (6, 0, 0x27B56A84CD2D7325),
        (6, PRIME64, 0x84589C116AB59AB9),
        (12, 0, 0xA713DAF0DFBB77E7),
        (12, PRIME64, 0xE7303E1B2336DE0E),
        (24, 0, 0xA3FE70BF9D3510EB),
        (24, PRIME64, 0x850E80FC35BDD690),
        (48, 0, 0x397DA259ECBA1F11),
        (48, PRIME64, 0xADC2CBAA44ACC616),
        (80, 0, 0xBCDEFBBB2C47C90A),
        (80, PRIME64, 0xC6DD0CB699532E73),
        (195, 0, 0xCD94217EE362EC3A),
        (195, PRIME64, 0xBA68003D370CB3D9),
        (403, 0, 0xCDEB804D65C6DEA4),
        (403, PRIME64, 0x6259F6ECFD6443FD),
        (512, 0, 0x617E49599013CB6B),
        (512, PRIME64, 0x3CE457DE14C27708),
        (2048, 0, 0xDD59E2C3A5F038E0),
        (2048, PRIME64, 0x66F81670669ABABC),
        (2240, 0, 0x6E73A90539CF2948),
        (2240, PRIME64, 0x757BA8487D1B5247),
    ],
)
def test_xxh3_specification_vectors_cross_every_length_class(length, seed, expected):
    assert xxhash.xxh3_64_intdigest(sanity_buffer(length), seed) == expected


def test_xxh32_matches_the_specification_at_every_length():
    data = sanity_buffer(200)
    for length in range(200):
        for seed in (0, 1, PRIME32, MASK32):
            assert xxhash.xxh32_intdigest(data[:length], seed) == xxh32(data[:length], seed), (length, seed)


def test_xxh64_matches_the_specification_at_every_length():
    data = sanity_buffer(200)
    for length in range(200):
        for seed in (0, 1, PRIME64, MASK64):
            assert xxhash.xxh64_intdigest(data[:length], seed) == xxh64(data[:length], seed), (length, seed)


@pytest.mark.parametrize("name", ["xxh32", "xxh64", "xxh3_64", "xxh3_128"])
@pytest.mark.parametrize("chunk", [1, 3, 16, 255, 256, 257, 1024])
def test_streaming_equals_one_shot(name, chunk):
    data = sanity_buffer(5000)
    hasher = getattr(xxhash, name)(seed=7)
    for start in range(0, len(data), chunk):
        hasher.update(data[start : start + chunk])
    assert hasher.digest() == getattr(xxhash, f"{name}_digest")(data, 7)


def test_unaligned_buffers_hash_the_same():
    data = sanity_buffer(1000)
    padded = bytearray(8) + data
    for offset in range(8):
        shifted = bytes(offset) + data
        assert xxhash.xxh3_128_digest(memoryview(shifted)[offset:]) == xxhash.xxh3_128_digest(data)
    assert xxhash.xxh64_digest(memoryview(padded)[8:]) == xxhash.xxh64_digest(data)


def test_digest_forms_agree():
    for name, size in (("xxh32", 4), ("xxh64", 8), ("xxh3_64", 8), ("xxh3_128", 16)):
        hasher = getattr(xxhash, name)(b"forms")
        assert hasher.digest_size == len(hasher.digest()) == size
        assert hasher.digest().hex() == hasher.hexdigest()
        assert int(hasher.hexdigest(), 16) == hasher.intdigest()


def test_copy_and_reset_are_independent():
    first = xxhash.xxh3_64(b"left", seed=3)
    second = first.copy()
    second.update(b"right")
    assert first.intdigest() == xxhash.xxh3_64_intdigest(b"left", 3)
    assert second.intdigest() == xxhash.xxh3_64_intdigest(b"leftright", 3)
    second.reset()
    assert second.intdigest() == xxhash.xxh3_64_intdigest(b"", 3)


def test_seed_wraps_at_the_width_of_the_hash():
    assert xxhash.xxh32_intdigest(b"seed", 2**32) == xxhash.xxh32_intdigest(b"seed", 0)
    assert xxhash.xxh64_intdigest(b"seed", 2**64 + 5) == xxhash.xxh64_intdigest(b"seed", 5)


def test_a_megabyte_of_zeros():
    zeros = bytes(1 << 20)
    assert xxhash.xxh32_intdigest(zeros[:4096]) == xxh32(zeros[:4096])
    hasher = xxhash.xxh64()
    for _ in range(256):
        hasher.update(zeros[:4096])
    assert hasher.intdigest() == xxhash.xxh64_intdigest(zeros)


def test_wrong_types_are_refused():
    with pytest.raises(TypeError):
        xxhash.xxh64(12)
    with pytest.raises(TypeError):
        xxhash.xxh3_128_digest(None)
    hasher = xxhash.xxh32()
    with pytest.raises(TypeError):
        hasher.update([1, 2])
