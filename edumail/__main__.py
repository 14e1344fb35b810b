"""``python -m edumail`` is the command ``edumail``."""

import sys

from edumail.cli import main

sys.exit(main())
