"""What a grounder gets right and wrong, from files of its predictions: one page, one JSON."""
