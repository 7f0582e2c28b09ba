"""Export, check and measure: what ``mmduet export`` does."""
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import torch

from mmduet.apis.image_inputs import list_images
from mmduet.apis.inferencer import GroundingInferencer
from mmduet.apis.pretrained import PretrainedGrounder
from mmduet.apis.results import GroundingResults
from mmduet.engine.config_tools import ConfigError
from mmduet.export.base_exporter import Exporter, Predictor
from mmduet.export.checking import MOST_DIFFERENCE, Pairs, Questions, accuracy, compare, draw_pairs, read_questions
from mmduet.export.timing import EAGER, time_predictors
from mmduet.io.errors import DataError
from mmduet.io.files import replacing, require_writable
from mmduet.io.text import counted

Say = Callable[[str], object]


class CheckError(RuntimeError):
    """An exported model answers otherwise than the model."""


def export(grounder: PretrainedGrounder, exporter: Exporter, out: Path, *, check: int = 100, images: str | Path | None = None,
           data: str | Path | None = None, splits: Sequence[str] = ('val', ), first: int | None = None, benchmark: int = 0,
           say: Say = print) -> None:
    """Write a model to a file, if it answers as the model does; else what was there before stays.

    Args:
        grounder: the model.
        exporter: of the format.
        out: the file; its folder is made.
        check: compare so many answers with the model's, and say the loss of a compressed file; 0 for neither.
        images: folder of images for the check; None to draw them.
        data, splits, first: a prepared data set to measure accuracy on, and how much of it; None for none, and for all.
        benchmark: time so many answers of each; 0 for none.
        say: takes each line of what was found.

    Raises:
        CheckError: boxes or scores differ by more than 1e-4.
        ExportError: the model has a part that the format cannot hold.
        ConfigError: a negative number, or another suffix than that of the format.
        DataError: the images or the data set cannot be read, which is said before the model is written.
    """
    if min(check, benchmark, 0 if first is None else first) < 0:
        raise ConfigError(f'check, first and benchmark must not be negative, got {check}, {first} and {benchmark}')
    if out.suffix != exporter.suffix:
        raise ConfigError(f'{out} must end in {exporter.suffix}')
    require_writable(out)
    pairs = draw_pairs(check, images=_paths(images, check)) if check else None
    questions = None if data is None else read_questions(data, splits, first)  # what is wrong with it is said before the work
    out.parent.mkdir(parents=True, exist_ok=True)
    eager = GroundingInferencer(PretrainedGrounder(deepcopy(grounder.student), grounder.description), device='cpu',
                                show_progress=False)
    with replacing(out) as partial:
        exporter.write(grounder, partial)
        asked = bool(check or data or benchmark)
        found = {exporter.names[0]: _open(exporter, partial, out)} if asked else {}
        if pairs is not None:
            _check(eager, found, pairs, say, out)
        if exporter.compress(partial) and asked:
            found[exporter.names[1]] = _open(exporter, partial, out)
            if pairs is not None:
                say(f'{exporter.names[1]}: {compare(_ask(eager, pairs), _ask(found[exporter.names[1]], pairs))}')
        size = partial.stat().st_size
        if questions is not None:
            _measure({EAGER: eager, **found}, questions, f'{data}, {", ".join(splits)}', say)
        if benchmark:
            seconds = time_predictors(grounder, found, benchmark)
            times = ', '.join(f'{name} {1000 * value:.0f} ms ({value / seconds[EAGER]:.2f})' for name, value in seconds.items())
            say(f'one answer takes, with {counted(torch.get_num_threads(), "thread")}, {times}')
    say(f'{out}: {size / 2**20:.1f} MB')


def _paths(images: str | Path | None, most: int) -> list[str] | None:
    """At most so many images of a folder, each of which can be read."""
    if images is None:
        return None
    found = list_images(str(images))[:most]
    for image in found:
        image.read()
    return [image.name for image in found]


def _open(exporter: Exporter, partial: Path, out: Path) -> Predictor:
    """The predictor of a file that is still beside its place, by whose name nobody knows it."""
    try:
        return exporter.open(partial)
    except DataError as error:
        raise DataError(str(error).replace(str(partial), str(out))) from error


def _ask(predictor: Predictor, pairs: Pairs) -> GroundingResults:
    return predictor(pairs.images, pairs.expressions, channel_order='rgb')


def _check(eager: Predictor, found: Mapping[str, Predictor], pairs: Pairs, say: Say, out: Path) -> None:
    (name, exported), = found.items()
    difference = compare(_ask(eager, pairs), _ask(exported, pairs))
    say(f'{name}: {difference}')
    if not difference.is_small:
        raise CheckError(f'{out} is not written: boxes or scores are more than {MOST_DIFFERENCE:g} from those of the model')


def _measure(predictors: Mapping[str, Predictor], questions: Questions, name: str, say: Say) -> None:
    pairs, targets = questions
    shares = {predictor: accuracy(_ask(asked, pairs), targets) for predictor, asked in predictors.items()}
    say(f'accuracy at IoU 0.5 on {len(targets)} expressions of {name}: '
        + ', '.join(f'{predictor} {100 * share:.2f} %' for predictor, share in shares.items()))
