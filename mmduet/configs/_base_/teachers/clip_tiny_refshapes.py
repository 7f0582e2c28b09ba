"""The tiny CLIP that ships with mmduet, trained on RefShapes images that no student sees."""
from mmduet.models.teachers import CLIPTeacher, CropView

# It was trained on generated images alone, none of which a student sees.
teacher_pretrain_excludes = ['refshapes', 'refcoco_unc', 'refcocoplus_unc', 'refcocog_umd', 'refcocog_google', 'referit',
                             'flickr30k']
teacher = dict(
    type=CLIPTeacher,
    model='clip_tiny_refshapes',
    model_config='mmduet/refshapes/tiny_clip/clip_tiny_refshapes.json',
    pretrained='mmduet/refshapes/tiny_clip/clip_tiny_refshapes.safetensors',
    views=[dict(type=CropView, scale=1.2)])
