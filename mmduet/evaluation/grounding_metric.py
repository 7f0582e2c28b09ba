"""Accuracy at IoU thresholds and mean IoU, exact for any number of ranks and any batch size."""
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmdet.structures import DetDataSample
from mmengine.dist import all_gather_object, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmduet.evaluation.data_overlap import describe_overlap, excluded_from_pretraining
from mmduet.evaluation.rules import Answer, EvaluationRule, OriginalPixelsRule
from mmduet.io.files import replacing
from mmduet.registry import METRICS, TASK_UTILS

Record = dict[str, Any]


@METRICS.register_module()
class GroundingMetric(BaseMetric):
    """Score one box per expression: ``acc@T`` for each threshold T and ``miou``, in percent.

    Answers are keyed by split and expression: repeats, with which samplers fill ranks up to equal lengths, count once, and an
    expression without an answer is an error. Where the dataset mixes splits, each is also reported by itself, as
    ``val/acc@0.5``; ``acc@0.5`` over everything is the key for the best checkpoint.

    Args:
        thresholds: of the IoU.
        rule: config of an ``EvaluationRule``; ``OriginalPixelsRule`` if None.
        prefix: put before every name, with a slash; none by default.
        out_file: JSON lines of all answers, written by the first rank; none by default.
        pretrain_excludes: data sets whose val and test images pre-training never saw, reported with every score; None where
            it is not stated. The runner fills it in.

    >>> from mmduet.evaluation import GroundingMetric
    >>> GroundingMetric(thresholds=(0.5, 0.75)).thresholds
    (0.5, 0.75)
    """

    default_prefix = ''

    def __init__(self, thresholds: Sequence[float] = (0.25, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9),
                 rule: dict[str, Any] | None = None, prefix: str | None = None, out_file: str | None = None,
                 pretrain_excludes: Sequence[str] | None = None) -> None:
        super().__init__(collect_device='cpu', prefix=prefix)
        if not thresholds or not all(0 < threshold < 1 for threshold in thresholds):
            raise ValueError(f'thresholds must lie between 0 and 1, got {thresholds}')
        self.thresholds = tuple(thresholds)
        self.rule: EvaluationRule = TASK_UTILS.build(rule) if rule is not None else OriginalPixelsRule()
        self.out_file = out_file
        self.pretrain_excludes = pretrain_excludes

    def process(self, data_batch: Any, data_samples: Iterable[dict[str, Any] | DetDataSample]) -> None:
        """Score a batch; ``data_samples`` are predicted samples, or their dicts as MMEngine's evaluator passes them."""
        for given in data_samples:
            sample = given.to_dict() if isinstance(given, DetDataSample) else given
            predicted, overlap = sample['pred_instances'], self.rule.overlap(Answer.from_sample(sample))
            self.results.append({
                'expression_id': sample['expression_id'], 'split': sample.get('split', ''), 'image': sample.get('img_path', ''),
                'expression': sample.get('text', ''), 'box': predicted['bboxes'][0].tolist(),
                'score': float(predicted['scores'][0]) if 'scores' in predicted else 1.0, 'iou': float(overlap),
                'hits': [self.rule.is_hit(overlap, threshold) for threshold in self.thresholds]})

    def evaluate(self, size: int) -> dict[str, float]:
        """Score the answers of all ranks, one to each of ``size`` expressions; every rank returns the same."""
        gathered = [answer for part in all_gather_object(self.results) for answer in part]
        self.results.clear()
        # The first answer of each expression, in the order of the keys: the same on every rank.
        unique = {(answer['split'], answer['expression_id']): answer for answer in reversed(gathered)}
        answers = [unique[key] for key in sorted(unique)]
        if len(answers) != size or not answers:
            raise ValueError(f'{len(answers)} expressions were answered, the dataset has {size}: every expression must be '
                             'answered, and its expression_id must be unique in its split')
        dataset = str((self.dataset_meta or {}).get('dataset_name', ''))
        if self.out_file is not None and is_main_process():
            self._write(Path(self.out_file), answers, dataset)
        metrics = self.compute_metrics(answers)
        print_log(f'{len(answers)} expressions; {describe_overlap(self.pretrain_excludes, dataset or "the data")}', 'current')
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()} if self.prefix else metrics

    def compute_metrics(self, results: list[Record]) -> dict[str, float]:
        """Percentages over all answers and, where there are several splits, over each."""
        broken = [answer['expression_id'] for answer in results if not all(map(math.isfinite, answer['box']))]
        if broken:
            print_log(f'{len(broken)} predicted boxes are not finite and count as misses, such as that of expression '
                      f'{broken[0]}', logger='current', level=30)
        parts = {'': results}
        splits = list(dict.fromkeys(answer['split'] for answer in results))
        if len(splits) > 1:
            parts |= {f'{split}/': [answer for answer in results if answer['split'] == split] for split in splits}
        metrics = {}
        for name, answers in parts.items():
            for k, threshold in enumerate(self.thresholds):
                metrics[f'{name}acc@{threshold:g}'] = 100 * sum(answer['hits'][k] for answer in answers) / len(answers)
            metrics[f'{name}miou'] = 100 * math.fsum(answer['iou'] for answer in answers) / len(answers)
        return metrics

    def _write(self, path: Path, answers: Iterable[Record], dataset: str) -> None:
        """JSON lines of expression_id, split, image, expression, box (xyxy, original pixels), score, iou and of the data."""
        overlap = {'dataset': dataset, 'pretrain_kept_out': excluded_from_pretraining(self.pretrain_excludes, dataset)}
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open('w', encoding='utf-8') as file:
            for answer in answers:
                file.write(json.dumps({name: value for name, value in answer.items() if name != 'hits'} | overlap) + '\n')
