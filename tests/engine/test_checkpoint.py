import json
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from safetensors.torch import save_file
from torch import nn

from mmduet.engine.checkpoint import (
    CheckpointError,
    CheckpointMismatchError,
    CorruptCheckpointError,
    UnreadableCheckpointError,
    check_resumable,
    first_non_finite,
    fit_to_model,
    load_strictly,
    read_checkpoint,
    read_record,
    restore_history,
    resume_candidates,
    to_plain,
    write_checkpoint,
)
from mmduet.io.weights import PlainHistoryBuffer


class Runs:
    """Unpickling this would run a command."""

    def __reduce__(self):
        return os.mkdir, ('/tmp/this-must-not-be-made', )


def distilled(inner: nn.Module, head: nn.Module) -> nn.Module:
    model = nn.Module()
    model.student, model.head = inner, head
    return model


def test_a_checkpoint_of_mmengine_is_read_without_running_code(tmp_path):
    buffer = HistoryBuffer([1.0, 3.0], [1, 1])
    torch.save({'state_dict': OrderedDict(a=torch.ones(2)), 'message_hub': {'log_scalars': {'loss': buffer}, 'runtime_info': {
        'best_score': np.float64(0.5), 'counts': np.array([1, 2], np.int64)}}}, tmp_path / 'mm.pth')
    checkpoint = read_checkpoint(tmp_path / 'mm.pth')
    hub = checkpoint['message_hub']
    assert isinstance(hub['log_scalars']['loss'], PlainHistoryBuffer)
    assert hub['log_scalars']['loss'].mean(2) == 2.0
    assert hub['runtime_info']['best_score'] == 0.5
    assert hub['runtime_info']['counts'].tolist() == [1, 2]
    assert checkpoint['meta'] == {}


def test_a_file_that_would_run_a_command_is_refused_and_runs_nothing(tmp_path):
    torch.save({'state_dict': {'a': torch.ones(1)}, 'extra': Runs()}, tmp_path / 'evil.pth')
    with pytest.raises(CheckpointError, match='could run code') as caught:
        read_checkpoint(tmp_path / 'evil.pth')
    assert not isinstance(caught.value, CorruptCheckpointError)
    assert 'mkdir' in str(caught.value)
    assert not Path('/tmp/this-must-not-be-made').exists()


def test_getattr_in_a_pickle_reaches_only_the_statistics_of_a_history_buffer(tmp_path):
    class Reaches:
        def __reduce__(self):
            return getattr, (np.ndarray, 'tofile')

    torch.save({'state_dict': {}, 'extra': Reaches()}, tmp_path / 'reach.pth')
    with pytest.raises(CheckpointError, match='not allowed'):
        read_checkpoint(tmp_path / 'reach.pth')


@pytest.mark.parametrize('kept', [0, 10, 500, -40])
def test_a_truncated_file_is_named_with_what_to_do(tmp_path, kept):
    path = tmp_path / 'epoch_2.pth'
    write_checkpoint({'state_dict': {'a': torch.ones(300)}}, path)
    content = path.read_bytes()
    path.write_bytes(content[:kept])
    with pytest.raises(CorruptCheckpointError, match=r'epoch_2\.pth is truncated or corrupt .*use the checkpoint before it'):
        read_checkpoint(path)


def test_a_truncated_safetensors_file_is_named_too(tmp_path):
    path = tmp_path / 'weights.safetensors'
    save_file({'a': torch.ones(300)}, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptCheckpointError, match=r'weights\.safetensors is truncated or corrupt'):
        read_checkpoint(path)


def test_safetensors_and_bare_state_dicts_are_checkpoints(tmp_path):
    save_file({'a': torch.tensor([1.0, 2.0])}, tmp_path / 'w.safetensors')
    torch.save({'a': torch.tensor([3.0])}, tmp_path / 'bare.pth')
    assert read_checkpoint(tmp_path / 'w.safetensors')['state_dict']['a'].tolist() == [1, 2]
    assert read_checkpoint(tmp_path / 'w.safetensors')['meta'] == {}
    save_file({'a': torch.ones(1)}, tmp_path / 'w.safetensors', {'pretrain_excludes': '["referit"]', 'host': 'x'})
    assert read_checkpoint(tmp_path / 'w.safetensors')['meta'] == {'pretrain_excludes': ['referit']}
    save_file({}, tmp_path / 'w.safetensors', {'pretrain_excludes': '[]'})
    with pytest.raises(UnreadableCheckpointError, match=r'w\.safetensors holds no weights'):
        read_checkpoint(tmp_path / 'w.safetensors')
    assert read_checkpoint(tmp_path / 'bare.pth')['state_dict']['a'].tolist() == [3]


def test_a_missing_file_names_its_neighbours(tmp_path):
    (tmp_path / 'epoch_12.pth').touch()
    with pytest.raises(FileNotFoundError, match=r'there is no checkpoint .*epoch_11\.pth; nearest: epoch_12\.pth'):
        read_checkpoint(tmp_path / 'epoch_11.pth')


def test_a_file_without_weights_is_refused_with_its_keys(tmp_path):
    torch.save({'model': {'a': torch.ones(1)}, 'epoch': 3}, tmp_path / 'other.pth')
    with pytest.raises(CheckpointError, match='holds no weights; its keys are model, epoch'):
        read_checkpoint(tmp_path / 'other.pth')


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path):
    path = tmp_path / 'epoch_1.pth'
    write_checkpoint({'state_dict': {'a': torch.zeros(1)}}, path)
    with pytest.raises((AttributeError, pickle.PicklingError, TypeError)):
        write_checkpoint({'state_dict': {}, 'bad': lambda: None}, path)
    assert read_checkpoint(path)['state_dict']['a'].tolist() == [0]
    with pytest.raises(CheckpointError, match=r'no_folder/a\.pth is not there, or no longer'):
        write_checkpoint({}, tmp_path / 'no_folder' / 'a.pth')


def test_our_own_files_need_no_allow_list(tmp_path):
    hub = {'log_scalars': {'loss': HistoryBuffer([1.0, 2.0], [1, 1])},
           'runtime_info': {'score': np.float32(0.25), 'n': (1, 'a')}}
    write_checkpoint({'state_dict': {'a': torch.ones(1)}, 'message_hub': to_plain(hub)}, tmp_path / 'a.pth')
    loaded = torch.load(tmp_path / 'a.pth', weights_only=True)
    assert loaded['message_hub']['runtime_info'] == {'score': 0.25, 'n': (1, 'a')}
    buffer = restore_history(loaded['message_hub'])['log_scalars']['loss']
    assert isinstance(buffer, HistoryBuffer)
    assert buffer.data[0].tolist() == [1.0, 2.0]


def test_first_non_finite_parameter_is_named():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    assert first_non_finite(model) is None
    with torch.no_grad():
        model[0].weight.fill_(3e38)
    assert first_non_finite(model) is None
    with torch.no_grad():
        model[1].bias.fill_(float('inf'))
    assert first_non_finite(model) == '1.bias'


def test_a_checkpoint_of_another_model_lists_keys_and_counts():
    state = {'weight': torch.ones(3, 2), 'extra1': torch.ones(1), 'extra2': torch.ones(1)}
    with pytest.raises(CheckpointMismatchError) as caught:
        load_strictly(nn.Linear(2, 2), state, 'a.pth')
    assert str(caught.value) == ('a.pth is a checkpoint of another model than Linear: 1 missing (bias); 2 unexpected (extra1, '
                                 'extra2); 1 of another shape (weight (3, 2) instead of (2, 2))')


def test_without_strict_what_fits_is_loaded():
    model = nn.Linear(2, 2)
    load_strictly(model, {'bias': torch.tensor([5.0, 6.0]), 'weight': torch.ones(3, 2)}, 'a.pth', strict=False)
    assert model.bias.tolist() == [5, 6]


def test_a_distilled_checkpoint_gives_its_student_to_a_plain_model():
    state = {'student.weight': torch.full((2, 2), 7.0), 'student.bias': torch.zeros(2), 'head.a': torch.ones(1)}
    fitted, note = fit_to_model(state, nn.Linear(2, 2))
    assert sorted(fitted) == ['bias', 'weight']
    assert note == 'a distilled checkpoint: took its student and left 1 tensor of the distillation head'


def test_a_plain_checkpoint_fills_the_student_of_a_distilled_model():
    model = distilled(nn.Linear(2, 2), nn.Linear(1, 1))
    fitted, note = fit_to_model({'module.weight': torch.full((2, 2), 7.0), 'module.bias': torch.zeros(2)}, model)
    load_strictly(model, fitted, 'plain.pth')
    assert model.student.weight.tolist() == [[7, 7], [7, 7]]
    assert note == 'a plain checkpoint: filled the student; 2 tensors of the distillation head start anew'


def test_the_table_of_positions_of_an_older_bert_is_left_out():
    state = {'weight': torch.ones(1), 'text_encoder.bert.embeddings.position_ids': torch.arange(512)[None]}
    assert list(fit_to_model(state, nn.Linear(1, 1, bias=False))[0]) == ['weight']


def test_a_checkpoint_of_the_same_kind_is_not_renamed():
    assert fit_to_model({'weight': torch.ones(1)}, nn.Linear(1, 1, bias=False))[1] is None


def test_weights_alone_cannot_be_resumed():
    with pytest.raises(CheckpointError, match=r'best\.pth has no optimizer, message_hub, meta\.iter.*--load-from'):
        check_resumable({'state_dict': {}, 'meta': {'epoch': 1}}, 'best.pth')


def place(folder, name, steps, epoch=0, **meta):
    torch.save({'state_dict': {'a': torch.zeros(1)}, 'meta': {'iter': steps, 'epoch': epoch, **meta}}, folder / name)
    return folder / name


def names(folder, run=None):
    return [path.name for path in resume_candidates(folder, run)]


def test_the_checkpoint_of_most_steps_comes_first_whatever_the_times_and_the_pointer_say(tmp_path):
    for number, (name, steps, epoch) in enumerate((('iter_20.pth', 20, 1), ('epoch_1.pth', 15, 1), ('iter_5.pth', 5, 0))):
        os.utime(place(tmp_path, name, steps, epoch), (number, number))
    place(tmp_path, 'best_acc@0.5_epoch_1.pth', 99)
    (tmp_path / 'last_checkpoint').write_bytes(b'\xff\xfe' + b'iter_5.pth')
    assert names(tmp_path) == ['iter_20.pth', 'epoch_1.pth', 'iter_5.pth']


def test_of_two_checkpoints_of_a_step_that_of_the_finished_epoch_comes_first(tmp_path):
    place(tmp_path, 'iter_10.pth', 10, 0)
    place(tmp_path, 'epoch_1.pth', 10, 1)
    assert names(tmp_path) == ['epoch_1.pth', 'iter_10.pth']


def test_numbers_in_names_do_not_count(tmp_path):
    place(tmp_path, 'iter_900.pth', 5)
    place(tmp_path, 'iter_10.pth', 10)
    assert names(tmp_path) == ['iter_10.pth', 'iter_900.pth']


def test_what_an_earlier_training_left_in_the_folder_comes_last(tmp_path):
    place(tmp_path, 'epoch_50.pth', 5000, 50, run='old')
    place(tmp_path, 'epoch_1.pth', 100, 1, run='new')
    assert names(tmp_path, 'new') == ['epoch_1.pth', 'epoch_50.pth']


def test_a_file_that_cannot_say_its_steps_is_a_candidate_and_others_are_none(tmp_path):
    place(tmp_path, 'iter_10.pth', 10)
    (tmp_path / 'iter_20.pth').write_bytes(b'half')
    (tmp_path / 'iter_x.pth').write_bytes(b'')
    place(tmp_path, 'my_epoch_3.pth', 30)
    assert names(tmp_path) == ['iter_20.pth', 'iter_10.pth']


@pytest.mark.parametrize('content', ['', '[]', '{"kept": 1}', '{"kept": '])
def test_a_record_that_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / 'checkpoints.json').write_text(content)
    assert read_record(tmp_path) is None


def test_a_record_names_checkpoints_only(tmp_path):
    kept = ['../../x', '/etc/passwd', 'iter_1.pth', 5, 'a.pth']
    record = {'run': 'r', 'kept': kept, 'best': {'file': '../best_a_iter_1.pth', 'score': 0.5}}
    (tmp_path / 'checkpoints.json').write_text(json.dumps(record))
    assert read_record(tmp_path) == {'run': 'r', 'kept': ['iter_1.pth'], 'best': None, 'validated': None}


def test_a_view_that_repeats_a_number_endlessly_is_refused(tmp_path):
    torch.save({'state_dict': {'a': torch.zeros(1).expand(1 << 30)}}, tmp_path / 'a.pth')
    with pytest.raises(UnreadableCheckpointError, match=r"'a' of shape \(1073741824,\) is larger than the whole file"):
        read_checkpoint(tmp_path / 'a.pth')


def test_a_flipped_pickle_is_corrupt_and_no_attack(tmp_path):
    torch.save({'state_dict': OrderedDict(a=torch.ones(1))}, tmp_path / 'a.pth')
    content = (tmp_path / 'a.pth').read_bytes()
    (tmp_path / 'a.pth').write_bytes(content.replace(b'OrderedDict', b'OrderedDibt', 1))
    with pytest.raises(CorruptCheckpointError, match=r'Bad CRC-32'):
        read_checkpoint(tmp_path / 'a.pth')


def test_an_empty_folder_has_no_candidate(tmp_path):
    assert resume_candidates(tmp_path) == []
