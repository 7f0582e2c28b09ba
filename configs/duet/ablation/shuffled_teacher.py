"""Control: the teacher's targets are those of another sample."""


def change(cfg):
    cfg.model.teacher = dict(type='ShuffledTeacher', teacher=cfg.model.teacher)
