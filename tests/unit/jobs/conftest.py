"""Makes ``small_configs.py``, which composes and prepares a small study, importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
