#!/usr/bin/env python
"""``mmduet make-refshapes`` as a script."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from mmduet.cli.make_refshapes import main

if __name__ == '__main__':
    sys.exit(main())
