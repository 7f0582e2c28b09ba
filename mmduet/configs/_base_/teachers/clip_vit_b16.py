"""OpenAI's CLIP ViT-B/16, in bfloat16: several times faster than float32, embeddings within a cosine of 0.9999.

``-quickgelu`` names the activation that these weights were trained with. Weights of your own: ``pretrained='FILE'``.
"""
from mmduet.models.teachers import CLIPTeacher, CropView

teacher = dict(type=CLIPTeacher, model='ViT-B-16-quickgelu', pretrained='openai',
               views=[dict(type=CropView, scale=1.2)], precision='bfloat16')
