"""Makes MMDetection importable before any test imports it."""
import mmduet  # noqa: F401
