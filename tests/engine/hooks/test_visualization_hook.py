import numpy as np
import pytest
from PIL import Image

from mmduet.engine.hooks.visualization_hook import GroundingVisualizationHook, to_answer
from mmduet.registry import RUNNERS
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tiny')
    root = make_data_root(folder / 'data', count=9)
    runner = RUNNERS.build(load_tiny_config(folder / 'work', root, default_hooks__visualization__max_samples=3,
                                            default_hooks__visualization__columns=2))
    runner.test()
    return folder, runner, next(hook for hook in runner.hooks if isinstance(hook, GroundingVisualizationHook))


def test_samples_are_spread_over_the_data(finished):
    assert [answer.expression for answer in finished[2]._answers] == ['red thing 0', 'red thing 3', 'red thing 6']


def test_the_sheet_goes_to_the_work_folder_and_the_visualizer(finished):
    folder, _, _ = finished
    with Image.open(folder / 'work/pictures/test.png') as sheet:
        assert sheet.size[0] == 2 * 332 + 12
    assert [path.name for path in folder.glob('work/*/vis_data/vis_image/*')] == ['test_predictions_1.png']


def test_a_second_test_of_a_run_has_a_sheet_of_its_own(finished):
    folder, runner, _ = finished
    runner.test()
    assert (folder / 'work/pictures/test_2.png').is_file()


def test_target_and_prediction_are_in_pixels_of_the_image(finished):
    _, runner, hook = finished
    answer = hook._answers[0]
    assert answer.target == tuple(runner.test_dataloader.dataset.describe(0)['box'])
    assert np.isfinite(answer.prediction).all()


def test_a_sample_without_a_target_is_an_answer(finished):
    sample = finished[1].test_dataloader.dataset[0]['data_samples']
    sample.pred_instances = sample.gt_instances
    del sample.gt_instances
    assert to_answer(sample).target is None


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match='must be positive, got 0 and 4'):
        GroundingVisualizationHook(max_samples=0)
