"""Drawing of answers (image, expression, target and prediction) and of charts."""
from mmduet.visualization.answer_sheet import Answer, draw_sheet

__all__ = ['Answer', 'draw_sheet']
