"""Batches of images with alike proportions; the order of an epoch is another."""


def change(cfg):
    cfg.train_dataloader.batch_sampler = dict(type='mmduet.SimilarAspectBatchSampler',
                                              drop_last=cfg.train_dataloader.pop('drop_last', False))
