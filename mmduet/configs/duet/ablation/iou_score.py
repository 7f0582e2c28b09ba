"""A head that learns the IoU of the student's answer, as its score."""


def change(cfg):
    student = cfg.model.get('student', cfg.model)
    channels = (student.fusion if 'fusion' in student else student.visual_encoder).channels
    student.score_head = dict(type='mmduet.IoUScoreHead', channels=channels)
