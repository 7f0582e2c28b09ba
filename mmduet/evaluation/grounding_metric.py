"""Accuracy at IoU thresholds and mean IoU, exact for any number of ranks and any batch size."""
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.structures import DetDataSample
from mmengine.dist import all_gather_object, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from numpy.typing import NDArray

from mmduet.evaluation.data_overlap import describe_overlap, excluded_from_pretraining
from mmduet.evaluation.rules import Answer, EvaluationRule, OriginalPixelsRule
from mmduet.evaluation.scores import KEPT, rate_scores, refusal_threshold
from mmduet.io.files import replacing
from mmduet.io.text import counted
from mmduet.registry import METRICS, TASK_UTILS

Record = dict[str, Any]


@METRICS.register_module()
class GroundingMetric(BaseMetric):
    """Score one box per expression: ``acc@T`` for each threshold T and ``miou``, in percent.

    Where the model scores its answers (not every score is 1), also the figures of ``rate_scores``, and ``refused@95`` of
    expressions without a target: the share of them whose score lies below that of 95 % of the others of split val. A box that
    is not finite is a miss, a score that is not finite is 0.

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
            predicted, known = sample['pred_instances'], len(sample.get('gt_instances', {}).get('bboxes', ())) > 0
            overlap = self.rule.overlap(Answer.from_sample(sample)) if known else None
            self.results.append({
                'expression_id': sample['expression_id'], 'split': sample.get('split', ''), 'image': sample.get('img_path', ''),
                'expression': sample.get('text', ''), 'box': predicted['bboxes'][0].tolist(),
                'score': _finite_score(predicted['scores'][0]) if 'scores' in predicted else 1.0,
                'iou': None if overlap is None else float(overlap),
                'right': overlap is not None and self.rule.is_hit(overlap, 0.5),
                'hits': [overlap is not None and self.rule.is_hit(overlap, threshold) for threshold in self.thresholds]})

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
        overlap = describe_overlap(self.pretrain_excludes, dataset or 'the data')
        print_log(f'{counted(len(answers), "expression")}; {overlap}', 'current')
        return {f'{self.prefix}/{name}': value for name, value in metrics.items()} if self.prefix else metrics

    def compute_metrics(self, results: list[Record]) -> dict[str, float]:
        """Percentages over all answers and, where there are several splits, over each."""
        broken = [answer['expression_id'] for answer in results if not all(map(math.isfinite, answer['box']))]
        if broken:
            print_log(f'{len(broken)} predicted boxes are not finite and count as misses, such as that of expression '
                      f'{broken[0]}', logger='current', level=30)
        missing = describe_unrefused(results)
        if missing:
            print_log(missing, logger='current', level=30)
        parts = {'': results}
        splits = list(dict.fromkeys(answer['split'] for answer in results))
        if len(splits) > 1:
            parts |= {f'{split}/': [answer for answer in results if answer['split'] == split] for split in splits}
        return {f'{name}{figure}': value for name, answers in parts.items()
                for figure, value in {**self._rate(answers), **self._refuse(answers, results)}.items()}

    def _rate(self, answers: Sequence[Record]) -> dict[str, float]:
        """Accuracies, mean IoU and the worth of the scores, over the expressions that have a target."""
        answers = [answer for answer in answers if answer['iou'] is not None]
        if not answers:
            return {}
        metrics = {f'acc@{threshold:g}': 100 * sum(answer['hits'][k] for answer in answers) / len(answers)
                   for k, threshold in enumerate(self.thresholds)}
        metrics['miou'] = 100 * math.fsum(answer['iou'] for answer in answers) / len(answers)
        scores = _scores(answers)
        return metrics | (rate_scores(scores, np.array([answer['right'] for answer in answers])) if (scores != 1).any() else {})

    def _refuse(self, answers: Sequence[Record], results: Sequence[Record]) -> dict[str, float]:
        """``refused@95`` of the expressions without a target; nothing where the scores are all 1 or val was not answered."""
        absent, true = _scores([answer for answer in answers if answer['iou'] is None]), _scores_of_val(results)
        if not len(absent) or not len(true) or (true == 1).all():
            return {}
        return {f'refused@{KEPT}': 100 * float((absent < refusal_threshold(true)).mean())}

    def _write(self, path: Path, answers: Iterable[Record], dataset: str) -> None:
        """JSON lines of expression_id, split, image, expression, box (xyxy, original pixels), score, iou (null without a
        target) and of the data."""
        overlap = {'dataset': dataset, 'pretrain_kept_out': excluded_from_pretraining(self.pretrain_excludes, dataset)}
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as partial, partial.open('w', encoding='utf-8') as file:
            for answer in answers:
                line = {name: value for name, value in answer.items() if name not in ('hits', 'right')} | overlap
                file.write(json.dumps(line) + '\n')


def _finite_score(score: Any) -> float:
    """A score as a number; 0 for one that is not finite, as its answer is a miss and has no place among probabilities."""
    value = float(score)
    return value if math.isfinite(value) else 0.0


def _scores(answers: Sequence[Record]) -> NDArray[np.float64]:
    return np.array([answer['score'] for answer in answers], dtype=np.float64)


def _scores_of_val(answers: Sequence[Record]) -> NDArray[np.float64]:
    """Of the expressions of val that have a target, whose scores say below what an answer is refused."""
    return _scores([answer for answer in answers if answer['iou'] is not None and answer['split'] == 'val'])


def describe_unrefused(answers: Sequence[Record]) -> str | None:
    """The sentence about expressions without a target of which no figure can be made; None where there are none."""
    count, true = sum(answer['iou'] is None for answer in answers), _scores_of_val(answers)
    if count and not len(true):
        return (f'{counted(count, "expression")} without a target: refused@{KEPT} is the share of them below the score that '
                f'{KEPT} % of val reach, so answer val with them (--splits val ...)')
    if count and (true == 1).all():
        return (f'{counted(count, "expression")} without a target: the student gives no score by which they could be refused '
                '(mmduet calibrate-score makes a distilled one give it)')
    return None
