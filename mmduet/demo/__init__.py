"""A page in the browser to try a model: ``mmduet demo``. Only ``mmduet.demo.page`` needs gradio."""
from mmduet.demo.answering import Answerer, Answers, DemoError

__all__ = ['Answerer', 'Answers', 'DemoError']
