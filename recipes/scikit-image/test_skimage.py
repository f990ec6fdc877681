"""scikit-image's compiled modules, on images whose answer is known or follows from another way to compute it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from skimage import (
    color,
    data,
    draw,
    exposure,
    feature,
    filters,
    graph,
    io,
    measure,
    metrics,
    morphology,
    registration,
    restoration,
    segmentation,
    transform,
    util,
)
from skimage.feature import _cascade, _hessian_det_appx, _texture, brief_cy
from skimage.filters import rank
from skimage.measure import _ccomp, _find_contours_cy
from skimage.morphology import _skeletonize_various_cy
from skimage.segmentation import _watershed_cy
from skimage.transform import _warps_cy


def disk(size=64, centre=(32, 32), radius=20, value=1.0):
    image = np.zeros((size, size))
    image[draw.disk(centre, radius, shape=image.shape)] = value
    return image


def test_compiled_modules_are_in_use():
    modules = (brief_cy, _cascade, _hessian_det_appx, _texture, _ccomp, _find_contours_cy)
    for module in (*modules, _skeletonize_various_cy, _watershed_cy, _warps_cy):
        assert module.__file__.endswith((".so", ".pyd"))


def test_images_of_the_package_are_read():
    assert data.camera().shape == (512, 512)
    assert data.camera().dtype == np.uint8
    assert data.astronaut().shape == (512, 512, 3)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_files_round_trip(tmp_path, name):
    image = (np.arange(30 * 20 * 3) % 251).reshape(30, 20, 3).astype(np.uint8)
    io.imsave(tmp_path / name, image, check_contrast=False)
    assert_array_equal(io.imread(tmp_path / name), image)


def test_colours():
    pixels = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]], float)
    assert_allclose(color.rgb2hsv(pixels)[0, :3, 0], [0, 1 / 3, 2 / 3])
    assert_allclose(color.rgb2gray(pixels)[0], [0.2125, 0.7154, 0.0721, 1])
    assert_allclose(color.lab2rgb(color.rgb2lab(pixels)), pixels, atol=1e-6)
    assert_allclose(color.rgb2lab(pixels)[0, 3], [100, 0, 0], atol=1e-2)


def test_labels_and_their_properties():
    image = disk(centre=(16, 16), radius=8) + disk(centre=(44, 40), radius=12)
    labels = measure.label(image)
    assert labels.max() == 2
    small, large = measure.regionprops(labels)
    assert_allclose(small.centroid, (16, 16), atol=1e-9)
    assert large.area == (labels == 2).sum()
    assert_allclose(large.area, np.pi * 144, rtol=0.05)
    assert small.eccentricity < 0.1
    assert measure.euler_number(image) == 2
    assert_allclose(measure.moments(image)[0, 0], image.sum())


def test_three_dimensional_labels():
    a = np.zeros((5, 6, 7), int)
    a[0, 0, 0] = a[1, 1, 1] = a[4, 5, 6] = 1
    assert measure.label(a, connectivity=1).max() == 3
    assert measure.label(a, connectivity=3).max() == 2


def test_contours_and_surfaces():
    y, x = np.mgrid[:64, :64]
    (contour,) = measure.find_contours(np.hypot(y - 32, x - 32), 20)
    assert_allclose(np.hypot(*(contour - 32).T), 20, atol=0.02)
    z, y, x = np.mgrid[:32, :32, :32]
    vertices, faces, _, _ = measure.marching_cubes(np.sqrt((z - 16) ** 2 + (y - 16) ** 2 + (x - 16) ** 2), 10)
    assert_allclose(np.linalg.norm(vertices - 16, axis=1), 10, atol=0.1)
    assert_allclose(measure.mesh_surface_area(vertices, faces), 4 * np.pi * 100, rtol=0.02)


def test_ellipse_is_fitted():
    points = measure.EllipseModel((10, 15), (8, 4), 0.5).predict_xy(np.linspace(0, 2 * np.pi, 25))
    model = measure.EllipseModel.from_estimate(points)
    assert_allclose(model.center, (10, 15))
    assert_allclose(model.axis_lengths, (8, 4))
    assert_allclose(model.theta, 0.5)


def test_robust_fit():
    random = np.random.default_rng(0)
    x = np.linspace(0, 10, 100)
    points = np.column_stack([x, 2 * x + 1])
    points[::5] = random.uniform(0, 20, (20, 2))
    model, inliers = measure.ransac(points, measure.LineModelND, 2, 0.1, rng=1)
    assert_allclose(model.predict_y([0, 1]), [1, 3], atol=1e-6)
    assert inliers.sum() >= 80


@pytest.mark.parametrize("order", [0, 1, 3])
def test_warps(order):
    image = np.random.default_rng(1).random((40, 50))
    shifted = transform.warp(image, transform.AffineTransform(translation=(3, 2)), order=order)
    assert_allclose(shifted[5:30, 5:40], image[7:32, 8:43], atol=1e-6)
    assert_allclose(transform.rotate(image, 180, order=order), image[::-1, ::-1], atol=1e-6)


def test_resize_and_pyramids():
    image = np.outer(np.linspace(0, 1, 64), np.ones(64))
    assert_allclose(
        transform.resize(image, (32, 32), anti_aliasing=False)[:, 0], image.reshape(32, 2, 64).mean(axis=1)[:, 0]
    )
    assert transform.rescale(image, 0.5).shape == (32, 32)
    assert_allclose(transform.downscale_local_mean(image, (2, 2))[:, 0], image.reshape(32, 2, 64).mean(axis=1)[:, 0])


def test_hough_and_radon():
    image = np.zeros((60, 60))
    image[draw.line(10, 5, 50, 5)] = 1
    accumulator, angles, distances = transform.hough_line(image)
    _, angle, distance = transform.hough_line_peaks(accumulator, angles, distances, num_peaks=1)
    assert_allclose([angle[0], distance[0]], [0, 5], atol=0.5)
    ring = np.zeros((60, 60))
    ring[draw.circle_perimeter(30, 28, 15)] = 1
    space = transform.hough_circle(ring, [12, 15, 18])
    assert np.unravel_index(space.argmax(), space.shape) == (1, 30, 28)
    phantom = disk()
    angles = np.arange(0, 180, 2.0)
    back = transform.iradon(transform.radon(phantom, angles), angles)
    assert np.sqrt(((back - phantom) ** 2).mean()) < 0.1


def test_projective_transform_is_found():
    source = np.array([[0, 0], [0, 50], [50, 50], [50, 0]], float)
    target = np.array([[5, 3], [2, 55], [60, 52], [48, 1]], float)
    found = transform.ProjectiveTransform.from_estimate(source, target)
    assert_allclose(found(source), target, atol=1e-8)


def test_morphology():
    image = disk() > 0
    skeleton = morphology.skeletonize(draw_bar())
    assert set(np.nonzero(skeleton)[0]) <= {9, 10, 11}
    assert set(skeleton.sum(axis=0)) == {0, 1}
    assert morphology.remove_small_objects(image | point(), max_size=5)[2, 2] == 0
    hull = morphology.convex_hull_image(image)
    assert hull[image].all()
    assert hull.sum() < image.sum() * 1.03
    filled = morphology.flood_fill(image.astype(int), (0, 0), 7)
    assert set(np.unique(filled)) == {1, 7}
    seed = image * 0.5
    assert_allclose(morphology.reconstruction(seed, image.astype(float)).max(), 0.5)
    assert morphology.max_tree(np.arange(16).reshape(4, 4))[0].shape == (4, 4)
    assert_array_equal(morphology.dilation(point(), morphology.footprint_rectangle((3, 3))).sum(), 9)


def draw_bar():
    bar = np.zeros((21, 60), bool)
    bar[8:13, 5:55] = True
    return bar


def point():
    image = np.zeros((64, 64), bool)
    image[2, 2] = True
    return image


def test_thresholds_and_filters():
    image = disk(value=0.8) + 0.1
    for threshold in (filters.threshold_otsu, filters.threshold_li, filters.threshold_isodata):
        assert_array_equal(image > threshold(image), disk() > 0)
    assert_allclose(filters.gaussian(np.ones((9, 9)), 2), 1)
    assert abs(filters.sobel(image)[32, 32]) < 1e-12
    assert_array_equal(filters.median(point().astype(float)), 0)
    assert filters.frangi(disk(radius=3)).shape == (64, 64)
    noisy = (np.random.default_rng(0).random((20, 20)) * 255).astype(np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(noisy, (3, 3))
    assert_array_equal(rank.maximum(noisy, np.ones((3, 3)))[1:-1, 1:-1], windows.max(axis=(2, 3)))
    assert_array_equal(rank.median(noisy, np.ones((3, 3)))[1:-1, 1:-1], np.median(windows, axis=(2, 3)))


def test_exposure():
    image = np.linspace(0.2, 0.6, 100).reshape(10, 10)
    assert_allclose(exposure.rescale_intensity(image).max(), 1)
    assert_allclose(exposure.equalize_hist(image).max(), 1)
    assert_allclose(exposure.adjust_gamma(image, 2), image**2)
    assert exposure.equalize_adapthist(image).shape == (10, 10)


def test_features():
    square = np.zeros((40, 40))
    square[10:30, 10:30] = 1
    corners = feature.corner_peaks(feature.corner_harris(square), min_distance=3, threshold_rel=0.1)
    assert sorted(map(tuple, corners.tolist())) == [(10, 10), (10, 29), (29, 10), (29, 29)]
    assert feature.canny(square).sum() > 60
    blobs = feature.blob_doh(disk(radius=10), max_sigma=20, threshold=0.005)
    assert_allclose(blobs[0][:2], (32, 32), atol=2)
    matrix = feature.graycomatrix(np.array([[0, 0, 1], [0, 0, 1]], np.uint8), [1], [0], levels=2)
    assert_array_equal(matrix[:, :, 0, 0], [[2, 2], [0, 0]])
    pattern = feature.local_binary_pattern((square * 255).astype(np.uint8), 8, 1)
    assert pattern[20, 20] == 255
    found = feature.match_template(data.camera(), data.camera()[100:140, 200:250])
    assert np.unravel_index(found.argmax(), found.shape) == (100, 200)
    assert feature.hog(data.camera()[:64, :64]).shape == (6 * 6 * 9 * 9,)


@pytest.mark.parametrize("detector", [feature.ORB(n_keypoints=100), feature.SIFT()])
def test_descriptors_match_a_turned_image(detector):
    image = data.camera()[:256, :256]
    detector.detect_and_extract(image)
    keypoints, descriptors = detector.keypoints, detector.descriptors
    detector.detect_and_extract(np.rot90(image))
    matches = feature.match_descriptors(descriptors, detector.descriptors, cross_check=True)
    turned = np.column_stack([255 - keypoints[:, 1], keypoints[:, 0]])
    distance = np.linalg.norm(turned[matches[:, 0]] - detector.keypoints[matches[:, 1]], axis=1)
    assert len(matches) > 30
    assert (distance < 3).mean() > 0.8


def test_brief_and_daisy():
    image = data.camera()[:128, :128]
    keypoints = feature.corner_peaks(feature.corner_fast(image, 12), min_distance=5)
    brief = feature.BRIEF(patch_size=15)
    brief.extract(image, keypoints)
    assert brief.descriptors.shape[1] == 256
    assert feature.daisy(image, step=40, radius=20).shape[2] == 200


def test_segmentation():
    image = disk(centre=(20, 20), radius=12) + disk(centre=(44, 44), radius=12)
    markers = np.zeros(image.shape, int)
    markers[20, 20], markers[44, 44] = 1, 2
    labels = segmentation.watershed(-image, markers, mask=image > 0)
    assert_array_equal(labels > 0, image > 0)
    assert (labels[20, 30], labels[44, 50]) == (1, 2)
    pixels = np.dstack([image, image, 1 - image])
    segments = segmentation.slic(pixels, n_segments=20, start_label=1)
    assert 5 < segments.max() < 40
    assert segmentation.felzenszwalb(pixels, scale=50).max() >= 2
    snake = segmentation.morphological_chan_vese(image, 30)
    assert ((snake > 0) == (image > 0)).mean() > 0.98 or ((snake == 0) == (image > 0)).mean() > 0.98
    walked = segmentation.random_walker(image, markers + 3 * (image == 0), beta=90)
    assert (walked[20, 20], walked[44, 44], walked[0, 63]) == (1, 2, 3)
    assert segmentation.quickshift(pixels, kernel_size=3, max_dist=10).max() > 1


def test_restoration():
    random = np.random.default_rng(0)
    clean = disk()
    noisy = clean + random.normal(0, 0.2, clean.shape)
    before = metrics.mean_squared_error(clean, noisy)
    for denoised in (
        restoration.denoise_tv_chambolle(noisy, weight=0.3),
        restoration.denoise_tv_bregman(noisy, weight=3),
        restoration.denoise_nl_means(noisy, h=0.2),
        restoration.denoise_bilateral(np.clip(noisy, 0, 1), sigma_color=0.5),
    ):
        assert metrics.mean_squared_error(clean, denoised) < before / 1.5
    hole = np.zeros(clean.shape, bool)
    hole[30:34, 30:34] = True
    assert_allclose(restoration.inpaint_biharmonic(np.where(hole, 0, clean), hole), clean, atol=1e-6)
    ramp = np.linspace(0, 6 * np.pi, 60)[None] + np.zeros((20, 1))
    wrapped = np.angle(np.exp(1j * ramp))
    unwrapped = restoration.unwrap_phase(wrapped)
    assert_allclose(np.diff(unwrapped, axis=1), np.diff(ramp, axis=1), atol=1e-9)


def test_registration_and_metrics():
    image = data.camera()[::4, ::4] / 255
    moved = np.roll(image, (5, -8), axis=(0, 1))
    shift, _, _ = registration.phase_cross_correlation(image, moved)
    assert_allclose(shift, (-5, 8))
    flow = registration.optical_flow_ilk(image, np.roll(image, 1, axis=1))
    assert_allclose(np.median(flow[1]), 1, atol=0.3)
    assert_allclose(metrics.structural_similarity(image, image, data_range=1), 1)
    assert metrics.hausdorff_distance(point(), point()) == 0


def test_graphs():
    cost = np.ones((10, 10))
    cost[5, :9] = 100
    path, length = graph.route_through_array(cost, (0, 0), (9, 0), fully_connected=False)
    assert (5, 9) in path
    assert length == len(path) - 1
    regions = graph.rag_mean_color(np.dstack([np.eye(4)] * 3), np.arange(16).reshape(4, 4))
    assert regions.number_of_nodes() == 16


def test_drawing():
    canvas = np.zeros((20, 20), np.uint8)
    canvas[draw.polygon([2, 2, 12, 12], [3, 15, 15, 3])] = 1
    assert canvas.sum() == 11 * 13
    assert len(draw.line(0, 0, 5, 9)[0]) == 10
    rows, columns, weights = draw.line_aa(0, 0, 4, 9)
    assert rows.max() <= 5
    assert columns.max() <= 9
    assert_allclose(weights.max(), 1, atol=0.5)
    assert draw.random_shapes((50, 50), 3, rng=1)[0].shape == (50, 50, 3)


def test_types_and_views():
    assert_array_equal(util.img_as_ubyte(np.array([0, 0.5, 1])), [0, 128, 255])
    assert util.view_as_blocks(np.arange(16).reshape(4, 4), (2, 2)).shape == (2, 2, 2, 2)
    assert util.montage(np.zeros((4, 5, 6))).shape == (10, 12)
    with pytest.raises(ValueError, match="Images of type float must be between -1 and 1"):
        util.img_as_ubyte(np.array([2.0]))
