"""Drawing photo, expression, target and prediction."""
