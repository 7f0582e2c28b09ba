"""Regions by the teacher's patch features of the whole image: no crop is looked at (docs/method.md, docs/performance.md)."""


def change(cfg):
    teacher = cfg.model.teacher
    while 'teacher' in teacher:  # a cache, which must be one of these regions
        teacher = teacher.teacher
    teacher.views = [dict(type='PatchView')]
