"""``python -m emwheels``."""

import sys

from emwheels.cli import main

sys.exit(main())
