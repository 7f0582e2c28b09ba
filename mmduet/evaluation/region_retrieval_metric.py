"""How well a CLIP reads regions: the right one of 80 prompts, and the target among a scene's true boxes."""
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from mmduet.registry import METRICS


@METRICS.register_module()
class RegionRetrievalMetric(BaseMetric):
    """Percentages over regions (``crop``, ``dense``) and over expressions by kind (``crop_attribute``, ...).

    Reads the predictions of ``CLIPPretrainer``. ``crop`` embeds the crop of a region, ``dense`` pools the map of the scene.
    """

    default_prefix = 'retrieval'

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keep what is right and what is counted of each scene."""
        for sample in data_samples:
            labels = sample['labels']
            row = {
                'crop': ([labels[item] for item in sample['cropped']], sample['crop_labels']),
                'dense': (labels, sample['dense_labels']),
                f'crop_{sample["kind"]}': ([sample['target']], [sample['crop_choice']]),
                f'dense_{sample["kind"]}': ([sample['target']], [sample['dense_choice']]),
            }
            self.results.append({
                name: (sum(a == b for a, b in zip(truth, answer, strict=True)), len(truth))
                for name, (truth, answer) in row.items()
            })

    def compute_metrics(self, results: list[dict[str, tuple[int, int]]]) -> dict[str, float]:
        """Return percentages by name, in alphabetical order."""
        totals: dict[str, tuple[int, int]] = {}
        for row in results:
            for name, (right, count) in row.items():
                before = totals.get(name, (0, 0))
                totals[name] = (before[0] + right, before[1] + count)
        return {name: 100 * right / count for name, (right, count) in sorted(totals.items()) if count}
