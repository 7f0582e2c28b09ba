"""OpenAI's CLIP ViT-B/16, in the precision that fits the machine: bfloat16's embeddings are within a cosine of 0.9999.

``-quickgelu`` names the activation that these weights were trained with. Weights of your own: ``pretrained='FILE'``.
"""
from mmduet.models.teachers import CLIPTeacher, CropView

teacher = dict(type=CLIPTeacher, model='ViT-B-16-quickgelu', pretrained='openai',
               views=[dict(type=CropView, scale=1.2)], precision='auto')
