"""The tiny CLIP that ships with mmduet, trained on RefShapes scenes that no student sees."""
from mmduet.models.teachers import CLIPTeacher

teacher = dict(
    type=CLIPTeacher,
    model='clip_tiny_refshapes',
    model_config='mmduet/models/teachers/tiny_clip/clip_tiny_refshapes.json',
    pretrained='mmduet/models/teachers/tiny_clip/clip_tiny_refshapes.safetensors',
    context=1.2)
