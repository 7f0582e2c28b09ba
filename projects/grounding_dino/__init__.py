"""MMDetection's Grounding DINO as a student of DUET."""
import mmduet  # noqa: F401 (makes MMDetection importable where MMCV has no compiled operators)
