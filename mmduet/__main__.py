"""``python -m mmduet`` is the command ``mmduet``."""
import sys

from mmduet.cli.main import main

if __name__ == '__main__':
    sys.exit(main())
