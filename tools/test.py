#!/usr/bin/env python
"""``mmduet test`` as a script."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmduet.cli.test import main

if __name__ == '__main__':
    sys.exit(main())
