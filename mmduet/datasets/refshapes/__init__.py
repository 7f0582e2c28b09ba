"""RefShapes, the embedded data set."""
