"""Control: a teacher with random weights."""


def change(cfg):
    # Without the cache, if there is one: it holds the targets of the trained teacher.
    teacher = cfg.model.teacher.get('teacher', cfg.model.teacher)
    cfg.model.teacher = dict(type='projects.ablation.control_teachers.UntrainedTeacher', teacher=teacher)
