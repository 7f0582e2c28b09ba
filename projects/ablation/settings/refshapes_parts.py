"""The setting of the experiments on level parts of RefShapes, with a teacher and a visual encoder trained for it.

Overlapping objects with parts, of RefCOCO's sizes, on textured grounds (docs/studies.md).
"""
from projects.ablation.settings import refshapes


def change(cfg):
    """Change a config of a tiny distilled student."""
    refshapes.change(cfg)
    cfg.model.teacher.cache = 'data/teacher_cache/clip_parts'
    cfg.model.teacher.teacher.pretrained = 'data/clip_parts.safetensors'
    cfg.model.student.pretrained = 'data/encoder_parts.safetensors'
    # Chosen on val with seed 10 by the semantic half alone, among 2.5e-4 and 5e-4.
    cfg.optim_wrapper.optimizer.lr = 5e-4
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = 'data/refshapes_parts'
