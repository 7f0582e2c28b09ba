import pytest
import torch

from mmduet.cli.export_weights import main
from mmduet.io.safetensors_files import read_safetensors


@pytest.fixture
def checkpoint(tmp_path):
    weights = {'student.encoder.weight': torch.full((2, 3), 1.5), 'student.encoder.count': torch.tensor([2**40]),
               'student.head.bias': torch.tensor([0.25]), 'head.scale': torch.tensor(3.0)}
    torch.save({'state_dict': weights, 'meta': {}}, tmp_path / 'a.pth')
    return str(tmp_path / 'a.pth')


@pytest.mark.parametrize(('flags', 'names'), [
    ([], {'student.encoder.weight', 'student.encoder.count', 'student.head.bias', 'head.scale'}),
    (['--prefix', 'student.'], {'encoder.weight', 'encoder.count', 'head.bias'}),
    (['--keep', 'head.'], {'head.scale'}),
    (['--prefix', 'student.', '--keep', 'encoder.'], {'encoder.weight', 'encoder.count'})])
def test_a_prefix_is_stripped_and_what_is_kept_is_not(checkpoint, tmp_path, flags, names):
    out = tmp_path / 'new/b.safetensors'
    assert main([checkpoint, str(out), *flags]) == 0
    found = read_safetensors(out)
    assert found.keys() == names
    assert {value.dtype for value in found.values() if value.is_floating_point()} == {torch.float32}


def test_half_is_for_fractions_alone(checkpoint, tmp_path, capsys):
    assert main([checkpoint, str(tmp_path / 'b.safetensors'), '--prefix', 'student.encoder.', '--half']) == 0
    found = read_safetensors(tmp_path / 'b.safetensors')
    assert found['weight'].dtype == torch.float16 and found['weight'].tolist() == [[1.5] * 3] * 2
    assert found['count'].dtype == torch.int64 and found['count'].tolist() == [2**40]
    assert capsys.readouterr().out == f'{tmp_path}/b.safetensors: 2 tensors, 0.00 MB\n'


def test_what_is_not_there_is_a_sentence_and_nothing_is_written(checkpoint, tmp_path, capsys):
    out = tmp_path / 'b.safetensors'
    assert main([checkpoint, str(out), '--prefix', 'teacher.', '--keep', 'a']) == 1
    assert capsys.readouterr().err == f'error: {checkpoint} has no key under teacher.a\n'
    assert main([str(tmp_path / 'gone.pth'), str(out)]) == 1
    assert 'gone.pth' in capsys.readouterr().err
    assert not out.exists()


def test_a_name_that_would_lie_and_a_folder_without_weights_are_refused(checkpoint, tmp_path, capsys):
    for words, said in (([checkpoint, 'b.pth'], 'b.pth must end in .safetensors'),
                        ([str(tmp_path), 'b.safetensors'], 'holds no model.safetensors: it is none of save_pretrained')):
        with pytest.raises(SystemExit):
            main(words)
        assert said in capsys.readouterr().err
