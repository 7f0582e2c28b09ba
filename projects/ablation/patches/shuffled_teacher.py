"""Control: the teacher's targets are those of another sample."""


def change(cfg):
    cfg.model.teacher = dict(type='projects.ablation.control_teachers.ShuffledTeacher', teacher=cfg.model.teacher)
