"""Control: a teacher with random weights."""


def change(cfg):
    # Without the cache, if there is one: that holds what the trained teacher said.
    teacher = cfg.model.teacher.get('teacher', cfg.model.teacher)
    cfg.model.teacher = dict(type='projects.ablation.control_teachers.UntrainedTeacher', teacher=teacher)
