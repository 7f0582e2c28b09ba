#!/usr/bin/env python
"""``mmduet storm`` as a script."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from mmduet.cli.storm import main

if __name__ == '__main__':
    sys.exit(main())
