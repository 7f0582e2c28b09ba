"""EVA-CLIP's EVA02 ViT-B/16 at 224 px: 512 dimensions, as many as the head has unless told otherwise.

Other members: EVA02-L-14 (``merged2b_s4b_b131k``) and EVA02-L-14-336 (``merged2b_s6b_b61k``), both of 768 dimensions.
"""
from mmduet.models.teachers import CLIPTeacher, CropView

teacher = dict(type=CLIPTeacher, model='EVA02-B-16', pretrained='merged2b_s8b_b131k',
               views=[dict(type=CropView, scale=1.2)], precision='auto')
