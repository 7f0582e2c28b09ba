"""SigLIP2 ViT-B/16 at 224 px: 768 dimensions.

Its tokenizer (Gemma's) does not come with open_clip: it is fetched, or read from ``tokenizer.json`` and
``tokenizer_config.json`` beside the file that ``pretrained`` names. Other members, tag ``webli``: ViT-B-32-SigLIP2-256
(768 dimensions), ViT-L-16-SigLIP2-256 (1024), ViT-SO400M-14-SigLIP2 (1152).
"""
from mmduet.models.teachers import CLIPTeacher, CropView

teacher = dict(type=CLIPTeacher, model='ViT-B-16-SigLIP2', pretrained='webli',
               views=[dict(type=CropView, scale=1.2)], precision='auto')
