"""PyWavelets' C transforms: coefficients worked out by hand, perfect reconstruction for every wavelet and border."""

import copy
import pickle

import numpy as np
import pytest
import pywt
from pywt._extensions import _cwt, _dwt, _pywt, _swt

R2 = np.sqrt(0.5)


def signal(size, dtype="float64"):
    x = np.arange(size)
    return (np.sin(x * 0.3) + (x * 7919 % 101) / 50).astype(dtype)


def test_c_extensions_are_in_use():
    for module in (_pywt, _dwt, _swt, _cwt):
        assert module.__file__.endswith((".so", ".pyd"))
    assert isinstance(pywt.Wavelet("db2"), _pywt.Wavelet)


def test_haar_by_hand():
    approximation, detail = pywt.dwt([1, 2, 3, 4], "haar")
    np.testing.assert_allclose(approximation, [3 * R2, 7 * R2])
    np.testing.assert_allclose(detail, [-R2, -R2])


def test_filter_of_daubechies():
    # (1 +- sqrt 3) / (4 sqrt 2) and so on: Daubechies 1988, order 2.
    s3 = np.sqrt(3)
    expected = np.array([1 + s3, 3 + s3, 3 - s3, 1 - s3]) / (4 * np.sqrt(2))
    np.testing.assert_allclose(pywt.Wavelet("db2").rec_lo, expected, rtol=1e-10)


@pytest.mark.parametrize("wavelet", pywt.wavelist(kind="discrete"))
def test_reconstruction_with_every_wavelet(wavelet):
    x = signal(301)
    tolerance = 0.01 if wavelet == "dmey" else 1e-6  # a finite approximation of a wavelet that is not
    back = pywt.waverec(pywt.wavedec(x, wavelet, level=1), wavelet)[:301]
    np.testing.assert_allclose(back, x, atol=tolerance)


@pytest.mark.parametrize("mode", pywt.Modes.modes)
@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64"])
def test_reconstruction_at_every_border(mode, size, dtype):
    if mode in ("reflect", "antireflect") and size == 1:
        pytest.skip("defined for two samples and more")
    x = signal(size, "float64").astype(dtype)
    back = pywt.idwt(*pywt.dwt(x, "db3", mode), "db3", mode)[:size]
    assert back.dtype == x.dtype
    np.testing.assert_allclose(back, x, atol=1e-4 if dtype in ("float32", "complex64") else 1e-9)


def test_more_dimensions_and_strides():
    image = signal(48 * 36).reshape(48, 36)
    for array in (image, np.asfortranarray(image), image[::2, ::-1]):
        np.testing.assert_allclose(pywt.idwt2(pywt.dwt2(array, "bior2.2"), "bior2.2"), array, atol=1e-9)
    cube = signal(8 * 10 * 12).reshape(8, 10, 12)
    np.testing.assert_allclose(pywt.idwtn(pywt.dwtn(cube, "sym4"), "sym4"), cube, atol=1e-9)
    coefficients = pywt.wavedecn(cube, "haar", level=2)
    np.testing.assert_allclose(pywt.waverecn(coefficients, "haar"), cube, atol=1e-9)


def test_stationary_transform():
    x = signal(64)
    np.testing.assert_allclose(pywt.iswt(pywt.swt(x, "db2", level=3), "db2"), x, atol=1e-9)
    image = x[:, None] * x[None, :]
    np.testing.assert_allclose(pywt.iswt2(pywt.swt2(image, "haar", level=2), "haar"), image, atol=1e-9)


def test_continuous_transform_finds_the_frequency():
    x = np.cos(2 * np.pi * 0.125 * np.arange(512))
    scales = np.arange(2, 64)
    coefficients, frequencies = pywt.cwt(x, scales, "cmor1.5-1.0")
    assert coefficients.shape == (62, 512)
    strongest = np.abs(coefficients[:, 256]).argmax()
    assert frequencies[strongest] == pytest.approx(0.125, rel=0.05)


def test_packets():
    packet = pywt.WaveletPacket(signal(64), "db1", mode="symmetric", maxlevel=3)
    rebuilt = pywt.WaveletPacket(None, "db1", mode="symmetric")
    for node in packet.get_level(3, "natural"):
        rebuilt[node.path] = node.data
    np.testing.assert_allclose(rebuilt.reconstruct(update=False), signal(64), atol=1e-9)


def test_thresholds_and_errors():
    assert pywt.threshold(np.array([-3.0, 1.0, 2.5]), 2, "soft") == pytest.approx([-1, 0, 0.5])
    with pytest.raises(ValueError, match="Unknown wavelet name"):
        pywt.Wavelet("nonsense")
    with pytest.raises(ValueError, match=r"[Mm]ode"):
        pywt.dwt([1, 2], "haar", "nonsense")


class OwnError(Exception):
    pass


def fails(*_arguments, **_options):
    raise OwnError("from Python")


HAAR = [[R2, R2], [-R2, R2], [R2, R2], [R2, -R2]]  # what "haar" is, as a filter bank
AGAIN = [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]


@pytest.mark.parametrize(
    "wavelet", [pywt.Wavelet("haar"), pywt.Wavelet("own", HAAR), pickle.loads(pickle.dumps(pywt.Wavelet("db1")))]
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128", "complex64"])
def test_a_wavelet_of_one_module_is_taken_by_the_others(wavelet, dtype):
    # Sums and differences of neighbours, each by hand.
    x = np.array([1, 2, 4, 8]).astype(dtype)
    close = {"rtol": 1e-6, "atol": 1e-6}
    approximation, detail = _dwt.dwt_single(x, wavelet, pywt.Modes.periodization)
    assert np.asarray(approximation).dtype == np.asarray(detail).dtype == x.dtype
    np.testing.assert_allclose(approximation, [3 * R2, 12 * R2], **close)
    np.testing.assert_allclose(detail, [-R2, -4 * R2], **close)
    back = _dwt.idwt_single(np.asarray(approximation), np.asarray(detail), wavelet, pywt.Modes.periodization)
    np.testing.assert_allclose(back, x, **close)
    columns = np.stack([x, 2 * x], axis=1)
    approximation, detail = _dwt.dwt_axis(columns, wavelet, pywt.Modes.zero, 0)
    np.testing.assert_allclose(approximation, [[3 * R2, 6 * R2], [12 * R2, 24 * R2]], **close)
    np.testing.assert_allclose(
        _dwt.idwt_axis(approximation, None, wavelet, pywt.Modes.zero, 0)[:, 0], [1.5, 1.5, 6, 6], **close
    )
    np.testing.assert_allclose(_dwt.downcoef(True, x, wavelet, pywt.Modes.symmetric, 2), [15 / 2], **close)
    np.testing.assert_allclose(_dwt.upcoef(False, x[:1], wavelet, 1, 0), [R2, -R2], **close)
    ((approximation, detail),) = _swt.swt(x, wavelet, 1, 0)
    np.testing.assert_allclose(approximation, [3 * R2, 6 * R2, 12 * R2, 9 * R2], **close)
    np.testing.assert_allclose(detail, [-R2, -2 * R2, -4 * R2, 7 * R2], **close)
    ((approximation, _),) = _swt.swt_axis(columns, wavelet, 1, 0, axis=1)
    np.testing.assert_allclose(approximation, x[:, None] * [3 * R2, 3 * R2], **close)


def test_lengths_and_levels():
    assert _dwt.dwt_max_level(1000, 4) == 8  # log2(1000 / 3) = 8.4
    assert _dwt.dwt_max_level(3, 8) == 0
    assert [_dwt.dwt_coeff_len(9, 4, mode) for mode in (pywt.Modes.zero, pywt.Modes.periodization)] == [6, 5]
    assert [_swt.swt_max_level(size) for size in (8, 12, 2**20)] == [3, 2, 20]
    with pytest.warns(UserWarning, match="No levels"):
        assert _swt.swt_max_level(7) == 0
    assert [_pywt.keep([1, 2, 3, 4, 5], length) for length in (1, 3, 9)] == [[3], [2, 3, 4], [1, 2, 3, 4, 5]]
    assert _pywt._check_dtype(np.zeros(1, np.clongdouble)) == np.complex128
    assert _pywt._check_dtype(np.zeros(1, np.half)) == np.float32
    assert _pywt.wavelet_from_object("sym2").name == "sym2"


CONTINUOUS = {
    "mexh": lambda t: 2 / (np.sqrt(3) * np.pi**0.25) * np.exp(-t * t / 2) * (1 - t * t),
    "morl": lambda t: np.exp(-t * t / 2) * np.cos(5 * t),
    "gaus1": lambda t: -2 * t * np.exp(-t * t) / (np.pi / 2) ** 0.25,
    "cgau1": lambda t: (-1j - 2 * t) * np.exp(-1j * t - t * t) / np.sqrt(2 * np.sqrt(np.pi / 2)),
    "cmor1.5-0.5": lambda t: np.exp(-t * t / 1.5 + 1j * np.pi * t) / np.sqrt(1.5 * np.pi),
    "shan2-0.25": lambda t: np.sqrt(2) * np.sinc(2 * t) * np.exp(0.5j * np.pi * t),
    "fbsp2-1.5-0.5": lambda t: np.sqrt(1.5) * np.sinc(1.5 * t / 2) ** 2 * np.exp(1j * np.pi * t),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_wavelets_are_their_formulas(name, dtype):
    wavelet = pywt.ContinuousWavelet(name, dtype)
    t = np.linspace(-3, 3, 62).astype(dtype)  # without 0
    values = _cwt.cwt_psi_single(t, wavelet, len(t))
    if wavelet.complex_cwt:
        values = values[0] + 1j * values[1]
    assert np.real(values).dtype == dtype
    np.testing.assert_allclose(values, CONTINUOUS[name](t.astype(float)), atol=1e-5 if dtype == np.float32 else 1e-12)
    psi, where = pickle.loads(pickle.dumps(wavelet)).wavefun(length=50)
    assert where.dtype == dtype
    np.testing.assert_allclose(psi, CONTINUOUS[name](where.astype(float)), atol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("again", AGAIN)
def test_copies_of_wavelets(again):
    for wavelet in (pywt.Wavelet("bior1.3"), pywt.Wavelet("own", HAAR)):
        other = again(wavelet)
        assert (type(other), other.name) == (_pywt.Wavelet, wavelet.name)
        assert other.filter_bank == wavelet.filter_bank
    other = again(pywt.ContinuousWavelet("fbsp2-1.5-0.5", np.float32))
    assert (type(other), other.name, other.wavefun()[1].dtype) == (_pywt.ContinuousWavelet, "fbsp2-1.5-0.5", np.float32)
    assert (other.fbsp_order, other.bandwidth_frequency, other.center_frequency) == (2, 1.5, 0.5)
    packet = again(pywt.WaveletPacket2D(np.arange(16.0).reshape(4, 4), "haar", maxlevel=2))
    np.testing.assert_allclose(packet["aa"].data, [[120 / 4]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: pywt.Wavelet("own", type("Bank", (), {"filter_bank": property(fails)})()),
        lambda: pywt.Wavelet("own", [[type("F", (), {"__float__": fails})()]] * 4),
        lambda: pywt.Wavelet("own", type("Bank", (list,), {"__len__": fails})()),
        lambda: pywt.dwt(type("A", (), {"__array__": fails})(), "haar"),
        lambda: pywt.swt(type("A", (), {"__array__": fails})(), "haar"),
    ],
)
def test_errors_in_callbacks_arrive_unchanged(call):
    for _ in range(20):
        with pytest.raises(OwnError, match="from Python"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pywt.Wavelet("own", HAAR[:3]), ValueError, "Expected list of 4 filters"),
        (lambda: pywt.Wavelet("own", [[1], [1], [1], [1, 2]]), ValueError, "length greater than 0"),
        (lambda: pywt.Wavelet("morl"), ValueError, "is a continuous wavelet"),
        (lambda: pywt.ContinuousWavelet("cmor1"), ValueError, "cmorB-C"),
        (lambda: pywt.ContinuousWavelet("mexh", np.float16), ValueError, "Only np.float32 and np.float64"),
        (lambda: pywt.Modes.from_object(99), ValueError, "Invalid mode"),
        (lambda: _dwt.dwt_single(np.zeros(1), pywt.Wavelet("haar"), pywt.Modes.reflect), ValueError, "greater than 1"),
        (lambda: _dwt.dwt_single(np.zeros(4), pywt.ContinuousWavelet("mexh"), 0), TypeError, "incorrect type"),
        (lambda: _dwt.dwt_single(np.zeros(4, int), pywt.Wavelet("haar"), 0), TypeError, "No matching signature"),
        (lambda: pywt.idwt([1, 2], [1], "haar"), ValueError, "same size"),
        (lambda: pywt.swt([1, 2, 3], "haar", level=1), ValueError, "must be even"),
        (lambda: pywt.swt([1, 2], "haar", level=2), ValueError, "Level value too high"),
        (lambda: _cwt.cwt_psi_single(np.zeros(4), pywt.Wavelet("haar"), 4), TypeError, "incorrect type"),
        (lambda: _cwt.cwt_psi_single(np.zeros(4), pywt.ContinuousWavelet("mexh"), 0), RuntimeError, "Invalid output"),
    ],
)
def test_errors_of_every_module(call, error, message):
    with pytest.raises(error, match=message):
        call()
