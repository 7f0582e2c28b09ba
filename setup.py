"""For tools that ask for a ``setup.py``; what is said about the package is in ``pyproject.toml``."""
from setuptools import setup

setup()
