"""Makes ``exportable.py``, which writes what a final job leaves, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
