"""The tiny TransVG distilled by DUET, with a term of this folder on the patches of the teacher, RefShapes."""
from mmengine.config import read_base

from projects.example_term.patch_cosine_term import PatchCosineTerm

with read_base():
    from mmduet.configs.duet.transvg_duet_refshapes import *

model['head']['terms'].update(patch=dict(type=PatchCosineTerm, weight=0.5))
