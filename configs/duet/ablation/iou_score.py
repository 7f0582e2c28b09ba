"""A head that learns the IoU of the student's answer, as its score."""


def change(cfg):
    student = cfg.model.get('student', cfg.model)
    student.score_head = dict(type='mmduet.IoUScoreHead', channels=student.fusion.channels)
