"""High-level interfaces."""
