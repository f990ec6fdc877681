"""Each of the four types of xxHash's C module and each of its functions: attributes, forms, large data, errors."""

import array
import copy
import pickle

import pytest
import xxhash
from xxhash import _xxhash

KINDS = ["xxh32", "xxh64", "xxh3_64", "xxh3_128"]
DATA = bytes(i * i * 7 & 255 for i in range(1 << 18))


@pytest.mark.parametrize(
    ("kind", "name", "size", "block"),
    [
        ("xxh32", "XXH32", 4, 16),
        ("xxh64", "XXH64", 8, 32),
        ("xxh3_64", "XXH3_64", 8, 32),
        ("xxh3_128", "XXH3_128", 16, 64),
    ],
)
def test_attributes(kind, name, size, block):
    hasher = getattr(_xxhash, kind)(b"data", seed=2**32 - 1)
    assert (hasher.name, hasher.digest_size, hasher.digestsize, hasher.block_size) == (name, size, size, block)
    assert hasher.seed == hasher.copy().seed == 2**32 - 1
    for attribute in ("name", "digest_size", "seed"):
        with pytest.raises(AttributeError):
            setattr(hasher, attribute, 1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("length", [0, 3, 16, 100, 241, 65536, 65537, 1 << 18])
def test_functions_and_methods_give_the_same(kind, length):
    data, seed = DATA[:length], 2**31 + 5
    one = getattr(_xxhash, f"{kind}_digest")(data, seed)
    assert getattr(_xxhash, f"{kind}_hexdigest")(data, seed=seed) == one.hex()
    assert getattr(_xxhash, f"{kind}_intdigest")(data=data, seed=seed) == int.from_bytes(one, "big")
    hasher = getattr(_xxhash, kind)(data=data, seed=seed)
    assert (hasher.digest(), hasher.hexdigest(), hasher.intdigest()) == (one, one.hex(), int.from_bytes(one, "big"))


@pytest.mark.parametrize("kind", KINDS)
def test_large_updates_and_what_follows_them(kind):
    # From 65537 bytes on an update takes a lock and gives up the GIL; afterwards every method takes the lock.
    make, digest = getattr(_xxhash, kind), getattr(_xxhash, f"{kind}_digest")
    hasher = make(DATA[:70_000], 3)
    assert hasher.digest() == digest(DATA[:70_000], 3)
    hasher.update(DATA[70_000:])
    hasher.update(b"end")
    other = hasher.copy()
    assert hasher.digest() == other.digest() == digest(DATA + b"end", 3)
    hasher.reset()
    assert (hasher.digest(), hasher.seed) == (digest(b"", 3), 3)
    other.update(DATA)
    assert other.digest() == digest(DATA + b"end" + DATA, 3)
    other.__init__(b"anew", seed=4)
    assert (other.digest(), other.seed) == (digest(b"anew", 4), 4)
    assert make.__new__(make).digest() == digest(b"")


@pytest.mark.parametrize("length", [1, 2, 3, 241, 255, 1024, 1025, 100_000])
@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
def test_low_half_of_the_long_hash(length, seed):
    # For these lengths the specification computes it as it does the hash of 64 bits.
    assert _xxhash.xxh3_128_intdigest(DATA[:length], seed) % 2**64 == _xxhash.xxh3_64_intdigest(DATA[:length], seed)


@pytest.mark.parametrize("kind", KINDS)
def test_seeds(kind):
    make, bits = getattr(_xxhash, kind), 32 if kind == "xxh32" else 64
    for seed, kept in ((-1, 2**bits - 1), (2**bits, 0), (2**64 - 1, 2**bits - 1), (2**100 + 3, 3), (True, 1)):
        assert make(b"x", seed).seed == kept
        assert make(b"x", seed).digest() == make(b"x", kept).digest()
        assert getattr(_xxhash, f"{kind}_digest")(b"x", seed) == make(b"x", kept).digest()


@pytest.mark.parametrize("kind", KINDS)
def test_buffers(kind):
    numbers = array.array("I", [1, 2, 2**32 - 1])
    expected = getattr(_xxhash, f"{kind}_digest")(numbers.tobytes())
    for buffer in (numbers, bytearray(numbers.tobytes()), memoryview(numbers), memoryview(numbers.tobytes())):
        hasher = getattr(_xxhash, kind)()
        assert hasher.update(buffer) is None
        assert hasher.digest() == expected
        assert getattr(_xxhash, f"{kind}_digest")(buffer) == expected
    numbers.append(3)  # no buffer of it is left


@pytest.mark.parametrize("kind", KINDS)
def test_errors(kind):
    make, hasher = getattr(_xxhash, kind), getattr(_xxhash, kind)(b"kept")
    functions = [
        make,
        hasher.update,
        *(getattr(_xxhash, f"{kind}_{form}") for form in ("digest", "hexdigest", "intdigest")),
    ]

    class Broken:
        def __buffer__(self, _flags):
            raise LookupError("refused")

        def __index__(self):
            raise LookupError("refused")

    for function in functions:
        for wrong, error in (
            ("text", TypeError),
            (5, TypeError),
            (memoryview(DATA)[::2], BufferError),
            (Broken(), LookupError),
        ):
            with pytest.raises(error):
                function(wrong)
        with pytest.raises(TypeError, match="invalid keyword argument"):
            function(b"", nothing=1)
    for function in (make, *functions[2:]):
        with pytest.raises(LookupError, match="refused"):
            function(b"", Broken())
        for wrong in (1.5, "1", None):
            with pytest.raises(TypeError):
                function(b"", seed=wrong)
    with pytest.raises(TypeError, match="missing required argument"):
        hasher.update()
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Derived", (make,), {})
    assert hasher.digest() == make(b"kept").digest()


@pytest.mark.parametrize("kind", KINDS)
def test_states_are_copied_by_their_own_method_only(kind):
    for again in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot pickle"):
            again(getattr(_xxhash, kind)())


def test_other_names():
    assert xxhash.xxh128 is _xxhash.xxh3_128
    assert xxhash.xxh128_digest is _xxhash.xxh3_128_digest
    assert {getattr(xxhash, name) for name in xxhash.algorithms_available} == {getattr(_xxhash, kind) for kind in KINDS}
