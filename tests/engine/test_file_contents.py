"""Files that a config names and that hold something else when a training is resumed."""
import shutil
from pathlib import Path

import pytest
from mmengine.config import Config
from torch.utils.data import ConcatDataset, Subset

from mmduet.datasets import GroundingDataset
from mmduet.engine import CheckpointError
from mmduet.engine.file_contents import _files_of_model, annotated, identify_annotations
from mmduet.engine.resume_rules import compare_contents, find_moved
from mmduet.io.files import find_file, sha256_of
from tests.engine.tiny_runs import train, train_distilled
from tests.tiny_grounder import make_data_root

CLIP = 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes'


def log_of(folder):
    return ''.join(path.read_text() for path in folder.glob('*/*.log'))


def test_changed_annotations_are_refused_by_split_and_folder_and_moved_ones_are_not(tmp_path):
    root, work = make_data_root(tmp_path / 'data', count=4), tmp_path / 'work'
    train(work, root, train_cfg__max_iters=1)
    moved = root.rename(tmp_path / 'moved')
    train(work, moved, resume=True, train_cfg__max_iters=2)
    assert 'and is taken' not in log_of(work)
    file = moved / 'annotations/train.jsonl'
    file.write_text(file.read_text().replace('red thing 0', 'red thing 9'))
    said = rf"other settings or files .*\n  content of annotations of split 'train' in {moved}: SHA-256 \w{{12}}\.\.\. -> "
    with pytest.raises(CheckpointError, match=said):
        train(work, moved, resume=True, train_cfg__max_iters=3)
    train(work, moved, resume=True, train_cfg__max_iters=3, resume_changed=True)
    assert f"content of annotations of split 'train' in {moved}" in log_of(work)
    train(work, moved, resume=True, train_cfg__max_iters=4)


def test_a_teacher_whose_file_was_exchanged_is_refused_by_its_path(tmp_path):
    root, work, own = make_data_root(tmp_path / 'data', count=4), tmp_path / 'work', tmp_path / 'clip.safetensors'
    shutil.copy(find_file(f'{CLIP}.safetensors'), own)
    train_distilled(work, root, train_cfg__max_iters=1, model__teacher__pretrained=str(own))
    own.write_bytes(own.read_bytes()[:-1] + b'\x3c')
    with pytest.raises(CheckpointError, match=rf'\n  content of {own}: SHA-256 \w{{12}}\.\.\. -> SHA-256 \w{{12}}\.\.\.\nUndo'):
        train_distilled(work, root, resume=True, train_cfg__max_iters=2, model__teacher__pretrained=str(own))


def test_a_teacher_whose_file_was_moved_goes_on(tmp_path):
    root, work, own = make_data_root(tmp_path / 'data', count=4), tmp_path / 'work', tmp_path / 'clip.safetensors'
    shutil.copy(find_file(f'{CLIP}.safetensors'), own)
    train_distilled(work, root, train_cfg__max_iters=1, model__teacher__pretrained=str(own))
    (tmp_path / 'elsewhere').mkdir()
    moved = own.rename(tmp_path / 'elsewhere/teacher.safetensors')
    train_distilled(work, root, resume=True, train_cfg__max_iters=2, model__teacher__pretrained=str(moved))
    assert (work / 'epoch_1.pth').is_file() and 'and is taken' not in log_of(work)


def test_a_moved_file_is_the_same_unless_one_of_its_places_tells_more_of_it():
    before = {'a': ('/x/clip.pt', '1' * 64), 'b': ('/x/clip.pt', '2' * 64), 'c': ('/x/clip.pt', '3' * 64)}
    assert find_moved(before, {'a': ('/y/clip.pt', '1' * 64), 'b': ('/y/clip.pt', '9' * 64), 'c': before['c'],
                               'd': ('/y/d.pt', '1' * 64)}) == {'a'}
    assert find_moved(before, {'a': ('/y/OpenAI-clip/clip.pt', '1' * 64)}) == set()
    told = {'beside a': ('/x/open_clip_config.json', '4' * 64)}
    assert find_moved({**before, **told}, {'a': ('/y/clip.pt', '1' * 64)}) == set()
    assert 'a' in find_moved({**before, **told}, {'a': ('/y/clip.pt', '1' * 64), **told})
    assert find_moved({'a': ('/x/openai.pt', '1' * 64)}, {'a': ('/y/openai/clip.pt', '1' * 64)}) == {'a'}


def test_files_of_teachers_and_heads_count_and_those_of_a_beginning_do_not(tmp_path):
    for name in ('a.pt', 'b.pt', 'c.pt', 'open_clip_config.json', 'words.txt'):
        (tmp_path / name).write_text(name)
    a, b, c, words = (str(tmp_path / name) for name in ('a.pt', 'b.pt', 'c.pt', 'words.txt'))
    cfg = Config(dict(model=dict(
        student=dict(pretrained=c), teacher=dict(mine=dict(model='ViT-B-16', pretrained=a)),
        head=dict(terms=[dict(words=Path(words), cache=str(tmp_path), init_cfg=dict(checkpoint=b))]))))
    assert {key: str(path) for key, path in _files_of_model(cfg)} == {
        'model.teacher.mine.pretrained': a, 'beside model.teacher.mine.pretrained': str(tmp_path / 'open_clip_config.json'),
        'model.head.terms.0.words': words}
    assert dict(_files_of_model(Config(dict(model=dict(type='VisualPretrainer'))))) == {}


def test_annotations_are_found_in_wrapped_data_sets(tmp_path):
    root = make_data_root(tmp_path / 'data', count=2)
    one, other = (GroundingDataset(root, [split], []) for split in ('train', 'val'))
    assert list(annotated(ConcatDataset([Subset(one, [0]), other]))) == [one, other]
    assert one.annotations.hashes == {'train': sha256_of(root / 'annotations/train.jsonl')}
    assert list(annotated([1, 2])) == []


def test_annotations_are_known_by_their_splits_and_lines_and_not_by_their_place(tmp_path):
    roots = [make_data_root(tmp_path / name, count=2) for name in 'ab']
    data = [GroundingDataset(root, ['train'], []) for root in roots]
    data += [GroundingDataset(roots[0], ['val'], []), GroundingDataset(roots[0], ['train'], [], first=1)]
    first, same, other, fewer = map(identify_annotations, data)
    assert first == same and len({first, other, fewer}) == 3
    assert identify_annotations([1, 2]) == ''


def test_a_file_that_is_there_only_now_or_only_then_is_not_compared():
    before, now = {'a': ('x/a', '1' * 64), 'b': ('x/b', '2' * 64)}, {'b': ('y/b', '2' * 64), 'c': ('y/c', '3' * 64)}
    assert compare_contents(before, now) == []
    assert [str(each) for each in compare_contents(before, {'a': ('y/a', '4' * 64)})] == [
        'content of y/a: SHA-256 111111111111... -> SHA-256 444444444444...']
