"""Makes ``inspected_fits.py``, with fits of a small network, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
