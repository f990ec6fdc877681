"""A content-addressed folder of files and small JSON records, safe to share between processes."""

from emwheels.errors import StoreError
from emwheels.store.local import Store, sha256_of

__all__ = ["Store", "StoreError", "sha256_of"]
