"""``mmduet benchmark --device``: what one card does, in a quarter of an hour; ``--on-paper``: what cards could do."""
