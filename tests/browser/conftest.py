"""Makes the made-up study of `tests/report_study.py` importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
