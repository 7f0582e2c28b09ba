"""Drawing photo, expression, target and prediction."""
from mmduet.visualization.picture_sheet import Answer, draw_sheet

__all__ = ['Answer', 'draw_sheet']
