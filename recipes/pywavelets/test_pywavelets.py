"""PyWavelets' C transforms: coefficients worked out by hand, perfect reconstruction for every wavelet and border."""

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
