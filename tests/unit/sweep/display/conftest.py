"""Makes ``recorded_display.py``, with literal outcomes and consoles, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
