"""``python -m emwheels``."""

import sys

from emwheels.cli.main import main

if __name__ == "__main__":  # processes that the index starts to read wheels import this module too
    sys.exit(main())
