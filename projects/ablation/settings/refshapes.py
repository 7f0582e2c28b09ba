"""The setting of the experiments on RefShapes: 6,000 steps on the first 8,000 expressions, the teacher from its cache.

``projects/ablation/ablate.py`` applies this before an experiment's patch; ``--steps`` changes the budget and stretches the
schedule.
"""
STEPS = 6000


def change(cfg):
    """Change a config of a tiny distilled student."""
    cfg.model.teacher = dict(type='mmduet.CachedTeacher', cache='data/teacher_cache/clip_tiny_refshapes',
                             teacher=cfg.model.teacher)
    # One process and one thread per run: a worker would take the core from the run beside it.
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.dataset.pipeline[0].cache_mb = 512
    # Epochs are no limit: a small training set is seen more often in the same number of steps.
    cfg.train_cfg.update(max_epochs=100_000, max_iters=STEPS)
    cfg.train_cfg.pop('val_interval')
    # Chosen on val for the plain TransVG at this budget, among 1.25e-4, 2.5e-4 and 5e-4 (results/plain_tuning.jsonl).
    cfg.optim_wrapper.optimizer.lr = 2.5e-4
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=STEPS // 10),
        dict(type='CosineAnnealingLR', eta_min_ratio=0.01, by_epoch=False, begin=STEPS // 10, end=STEPS)]
    cfg.default_hooks.update(checkpoint=None)
    cfg.default_hooks.pop('visualization')
    cfg.visualizer = dict(type='Visualizer', vis_backends=[])
