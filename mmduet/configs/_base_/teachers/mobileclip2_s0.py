"""MobileCLIP2-S0, a convolutional tower at 256 px: 512 dimensions, as many as the head has unless told otherwise.

It has 8 x 8 patches. Other members, tag ``dfndr2b``: MobileCLIP2-S2 and -B (512), -S3, -S4 and -L-14 (768).
"""
from mmduet.models.teachers import CLIPTeacher, CropView

teacher = dict(type=CLIPTeacher, model='MobileCLIP2-S0', pretrained='dfndr2b',
               views=[dict(type=CropView, scale=1.2)], precision='auto')
