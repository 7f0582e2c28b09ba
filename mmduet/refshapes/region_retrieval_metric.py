"""How well a CLIP reads regions: the right one of 80 prompts, and the target among a scene's true boxes."""
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from mmduet.registry import METRICS


@METRICS.register_module()
class RegionRetrievalMetric(BaseMetric):
    """Percentages over regions (``crop``, ``dense``) and over expressions by kind (``crop_attribute``, ...).

    Counts the predictions of ``CLIPPretrainer``. ``crop`` embeds the crop of a region, ``dense`` pools the map of the scene.
    ``crop_grounding`` and ``dense_grounding`` are over the expressions of all kinds.

    Args:
        groups: labels to report apart, by name: ``{'arrow': [70, 71]}`` adds ``crop_arrow`` and ``dense_arrow``.
    """

    default_prefix = 'retrieval'

    def __init__(self, groups: Mapping[str, Sequence[int]] | None = None) -> None:
        super().__init__()
        self.groups = dict(groups or {})

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what is right and what is counted of each scene."""
        for sample in data_samples:
            labels, row = sample['labels'], {}
            for kind, truth in (('crop', [labels[item] for item in sample['cropped']]), ('dense', labels)):
                pairs = list(zip(truth, sample[f'{kind}_labels'], strict=True))
                chosen = [(sample['target'], sample[f'{kind}_choice'])]
                row.update({kind: pairs, f'{kind}_{sample["kind"]}': chosen, f'{kind}_grounding': chosen})
                for group, members in self.groups.items():
                    row[f'{kind}_{group}'] = [pair for pair in pairs if pair[0] in members]
            self.results.append({name: (sum(a == b for a, b in pairs), len(pairs)) for name, pairs in row.items()})

    def compute_metrics(self, results: list[dict[str, tuple[int, int]]]) -> dict[str, float]:
        """Return percentages by name, in alphabetical order."""
        totals: dict[str, tuple[int, int]] = {}
        for row in results:
            for name, (right, count) in row.items():
                before = totals.get(name, (0, 0))
                totals[name] = (before[0] + right, before[1] + count)
        return {name: 100 * right / count for name, (right, count) in sorted(totals.items()) if count}
