"""Bound: the labels of the contrast by a similarity map that is exactly right; all else is the trained teacher's."""


def change(cfg):
    cfg.model.teacher = dict(type='projects.ablation.control_teachers.ExactMapTeacher', teacher=cfg.model.teacher)
