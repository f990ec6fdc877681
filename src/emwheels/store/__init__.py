"""A content-addressed folder of files and small JSON records, safe to share between processes."""

from emwheels.store.local import Store, StoreError, sha256_of

__all__ = ["Store", "StoreError", "sha256_of"]
