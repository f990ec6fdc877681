"""``index.html`` of an index: what is published and how it came to be, for people. Reads records, changes none."""

from __future__ import annotations

from emwheels.status.model import PAGE, StatusRow, summary
from emwheels.status.page import status_page
from emwheels.status.update import publish_status, refresh_status, write_status

__all__ = ["PAGE", "StatusRow", "publish_status", "refresh_status", "status_page", "summary", "write_status"]
