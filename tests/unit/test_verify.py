from __future__ import annotations

import pytest
from faulty_index import FAULTS, FaultyIndex

from emwheels.verify import CHECKS, verify

NAMED = {
    "right": set(),
    "right-html": set(),
    "right-with-gamma": set(),
    "no-cors": {"cors", "cors-missing"},
    "cors-for-another": {"cors", "cors-missing"},
    "cors-not-on-errors": {"cors-missing"},
    "json-as-application-json": {"json-type"},
    "json-relative": {"json-relative"},
    "json-garbled": {"page-content"},
    "html-as-download": {"page-type"},
    "wrong-hash": {"hash-wrong"},
    "no-hash": {"hash-missing"},
    "wrong-size": {"size-wrong"},
    "page-for-missing-project": {"missing-project"},
    "page-missing": {"page-status"},
    "wasm-as-download": {"wasm-type"},
    "wheel-says-gzip": {"wheel-encoding"},
    "wheel-truncated": {"wheel-truncated"},
    "wheel-missing": {"wheel-status"},
    "wheel-as-text": {"wheel-type"},
    "redirect-without-cors": {"redirect-cors"},
    "no-double-slash": {"double-slash"},
    "only-yanked": {"only-yanked"},
    "metadata-hash": {"metadata-hash"},
    "metadata-missing": {"metadata-status"},
    "metadata-lies": {"metadata-differs"},
    "name-not-normalised": {"name-normalisation"},
    "page-immutable": {"cache-page"},
    "page-without-caching": {"cache-page"},
    "wheel-not-cached": {"cache-wheel"},
    "etag-changes": {"etag"},
    "range-wrong": {"range"},
    "other-abi": {"abi"},
    "forms-differ": {"forms-differ"},
}


@pytest.fixture(scope="module")
def index():
    with FaultyIndex() as running:
        yield running


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named_and_nothing_else(index, targets, fault):
    (report,) = verify([index.url(fault)], target=targets.get("314.0.7"), clients=())
    assert report.checks() == NAMED[fault], report.findings
    for finding in report.findings:
        assert finding.to_dict()["fix"] == CHECKS[finding.check].fix
