"""Bound of labels_by_product: by a similarity map that is exactly right."""
from projects.ablation.patches import exact_map, labels_by_product


def change(cfg):
    labels_by_product.change(cfg)
    exact_map.change(cfg)
