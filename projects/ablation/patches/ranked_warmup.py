"""The ranked contrast, and all losses of the head grow to full weight over the first 300 updates."""
from mmduet.configs.duet.ablation import ranked, warmup


def change(cfg):
    ranked.change(cfg)
    warmup.change(cfg)
