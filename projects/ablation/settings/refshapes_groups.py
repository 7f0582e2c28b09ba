"""The setting of the experiments on RefShapes, on the first 2,000 scenes with two targets of two expressions each."""
from mmduet.configs.duet.ablation import ranked
from projects.ablation.settings import refshapes


def change(cfg):
    """Change a config of a tiny distilled student."""
    refshapes.change(cfg)
    cfg.model.teacher.cache = 'data/teacher_cache/clip_tiny_refshapes_groups'
    # Its distilled runs were made with the ranked contrast, and before the tiny VLTVG's head had a weight of its own.
    ranked.change(cfg)
    cfg.model.head.pop('weight', None)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = 'data/refshapes_groups'
