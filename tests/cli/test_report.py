import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmduet.cli import report as tool
from mmduet.registry import RUNNERS
from tests.load_tool import load_tool
from tests.report_data import OTHERS, SOME, TARGETS, answers, make_root
from tests.shared_data import shared
from tests.tiny_data import write_lines
from tests.tiny_grounder import load_tiny_config, make_data_root


@pytest.fixture
def annotations(tmp_path):
    return make_root(tmp_path)


def run(*arguments):
    return tool.main([str(argument) for argument in arguments])


def test_a_page_and_a_json_are_written_with_images_and_objects_of_the_data_root(tmp_path, annotations, capsys):
    plain, full = (write_lines(tmp_path / f'{name}.jsonl', answers(*boxes))
                   for name, boxes in (('plain', SOME), ('full', OTHERS)))
    run(plain, full, '--ann', annotations, '--out', tmp_path / 'out/r.html', '--draws', 50)
    assert capsys.readouterr().out.splitlines()[0] == \
        ('plain: Acc@0.25 75.00, Acc@0.3 75.00, Acc@0.5 75.00, Acc@0.6 50.00, Acc@0.7 50.00, Acc@0.75 50.00, '
         'Acc@0.8 50.00, Acc@0.9 50.00, mIoU 62.50; images kept out of pre-training: unknown')
    figures = json.loads((tmp_path / 'out/r.json').read_text())
    assert figures['objects'].endswith('objects.jsonl')
    assert [system['pretrain_kept_out'] for system in figures['systems']] == ['unknown', 'unknown']
    assert [system['name'] for system in figures['systems']] == ['plain', 'full']
    page = (tmp_path / 'out/r.html').read_text()
    assert page.count('data:image/jpeg') >= 6
    assert page.count('Whether pre-training saw these images is unknown.') == 2
    assert '<th scope="row">images kept out of pre-training</th><td>unknown</td><td>unknown</td>' in page
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == ['r.html', 'r.json']


def test_plain_boxes_of_other_systems_may_be_of_two_formats(tmp_path, annotations, capsys):
    rows = '\n'.join(','.join(map(str, box)) for box in TARGETS.values())
    (tmp_path / 'a.csv').write_text(rows)
    (tmp_path / 'b.json').write_text(json.dumps([[x, y, x2 - x, y2 - y] for x, y, x2, y2 in TARGETS.values()]))
    run(tmp_path / 'a.csv', tmp_path / 'b.json', '--boxes', 'xyxy,xywh', '--ann', annotations, '--out', tmp_path / 'r.html')
    assert capsys.readouterr().out.count('mIoU 100.00') == 2
    run(tmp_path / 'a.csv', '--boxes', 'xyxy', '--ann', annotations, '--out', tmp_path / 'r.html', '--names', 'x',
        '--kept-out', 'no')
    assert capsys.readouterr().out.startswith('x: Acc@0.25 100.00')
    assert json.loads((tmp_path / 'r.json').read_text())['systems'][0]['pretrain_kept_out'] == 'no'


def test_images_may_lie_in_an_archive_and_the_list_of_cases_has_limits(tmp_path, annotations):
    pages = []
    path = write_lines(tmp_path / 'p.jsonl', answers(*SOME))
    folder = shutil.make_archive(str(tmp_path / 'images'), 'zip', annotations.parent.parent / 'images')
    for flags in ((), ('--images', folder), ('--most-cases', 1), ('--most-cases', 3)):
        assert run(path, '--ann', annotations, '--out', tmp_path / 'r.html', '--draws', 10, *flags) == 0
        pages.append((tmp_path / 'r.html').read_text())
    assert pages[0] == pages[1] and pages[0].count('data:image/jpeg') > 0
    assert len(pages[2]) < len(pages[3]) < len(pages[0])
    assert run(path, '--ann', annotations, '--images', path) == 1


def test_bad_input_ends_in_a_sentence_and_leaves_the_old_page(tmp_path, annotations, capsys):
    out = tmp_path / 'r.html'
    out.write_text('old')
    path = write_lines(tmp_path / 'p.jsonl', answers(*SOME)[:3])
    assert run(path, '--ann', annotations, '--out', out) == 1
    assert re.match(r'error: .*p\.jsonl: 1 of 4 expressions have no prediction, such as 4', capsys.readouterr().err)
    assert run(path, '--ann', annotations, '--images', tmp_path / 'photos', '--out', out) == 1
    assert re.match(r'error: the image folder .*photos does not exist', capsys.readouterr().err)
    assert out.read_text() == 'old'
    assert not (tmp_path / 'r.json').exists()


@pytest.mark.parametrize(('arguments', 'message'), [
    (['a', 'b', '--names', 'x'], '--names has 1 entry for 2 files'), (['a', 'b', '--names', 'x,x'], 'must differ'),
    (['a', '--kept-out', 'yes,no'], '--kept-out has 2 entries'), (['a', '--kept-out', 'maybe'], 'yes, no or unknown'),
    (['a', '--boxes', 'cxcywh'], 'must be xyxy or xywh'), (['a', '--boxes', 'xyxy,xywh'], '--boxes has 2 entries for 1 file'),
    (['a', '--out', 'r.json'], r'--out must end in \.html'), (['a', '--draws', '0'], 'must be at least 1')])
def test_wrong_flags_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        tool.parse_args([*arguments, '--ann', 'v'])
    assert re.search(message, capsys.readouterr().err)


def test_systems_are_named_by_their_files_as_far_as_that_tells_them_apart():
    assert tool.name_systems([Path('a/x.jsonl'), Path('b/y.jsonl')]) == ['x', 'y']
    assert tool.name_systems([Path('a/x.jsonl'), Path('b/x.jsonl')]) == ['a/x', 'b/x']
    assert tool.name_systems([Path('a/x.jsonl'), Path('a/x.csv')]) == ['a/x (1)', 'a/x (2)']


def test_the_predictions_of_our_own_test_tool_are_read_and_score_the_same(tmp_path, monkeypatch, capsys):
    import torch
    root = make_data_root(tmp_path / 'data', count=7, splits=('val',))
    runner = RUNNERS.build(load_tiny_config(tmp_path / 'work', root))
    torch.save({'state_dict': runner.plain_model.state_dict()}, tmp_path / 'plain.pth')
    monkeypatch.chdir(tmp_path)
    config = Path(__file__).resolve().parents[1] / 'tiny_config.py'
    monkeypatch.setattr('sys.argv', ['test.py', str(config), 'plain.pth', '--data-root', str(root), '--splits', 'val',
                                     '--out', 'p.jsonl'])
    load_tool('test').main()
    table = capsys.readouterr().out
    run('p.jsonl', '--ann', root / 'annotations/val.jsonl', '--out', 'r.html', '--draws', 20)
    metrics = json.loads(Path('r.json').read_text())['systems'][0]['metrics']
    printed = {line.split()[0]: float(line.split()[-1]) for line in table.splitlines() if line.startswith(('acc@', 'miou'))}
    assert {name: round(figure['value'], 2) for name, figure in metrics.items()} == {name: printed[name] for name in metrics}


def test_the_validation_set_of_refcoco_is_reported_whole(tmp_path, monkeypatch, capsys):
    source = shared('data/refcoco_family/val_test/REC_refcoco_unc_val.jsonl')
    lines = [json.loads(text) for text in source.read_text().splitlines()]
    annotations = [{'expression_id': str(one['sent_id']), 'image': one['img_path'], 'image_id': one['image_id'], 'split': 'val',
                    **{name: one[name] for name in ('width', 'height', 'expression')}, 'box': one['bbox']} for one in lines]
    assert len(annotations) == 10834
    rng = np.random.default_rng(0)
    write_lines(tmp_path / 'val.jsonl', annotations)
    for name in 'ab':
        boxes = np.array([one['box'] for one in annotations]) + rng.normal(0, 20, (10834, 1))
        write_lines(tmp_path / f'{name}.jsonl', [{'expression_id': one['expression_id'], 'box': box.tolist()}
                                                 for one, box in zip(annotations, boxes, strict=True)])
    monkeypatch.chdir(tmp_path)
    run('a.jsonl', 'b.jsonl', '--ann', 'val.jsonl')
    assert 'wrote report.html' in capsys.readouterr().out
    figures = json.loads((tmp_path / 'report.json').read_text())
    assert (figures['expressions'], figures['images'], figures['draws']) == (10834, 1500, 1000)


def test_predictions_are_not_overwritten_by_the_figures_of_their_own_name(tmp_path, annotations, capsys):
    plain = tmp_path / 'plain.json'
    plain.write_text(json.dumps(answers(*SOME)))
    before = plain.read_text()
    assert run(plain, '--ann', annotations, '--out', tmp_path / 'plain.html') == 1
    assert 'plain.json is read here, and what is written would take its place: name another file' in capsys.readouterr().err
    assert plain.read_text() == before and not (tmp_path / 'plain.html').exists()
    assert run(plain, '--ann', annotations, '--out', tmp_path / 'other.html', '--draws', 20) == 0


def test_a_seed_below_zero_is_a_sentence(annotations, capsys):
    with pytest.raises(SystemExit):
        run('a.jsonl', '--ann', annotations, '--seed', -1)
    assert 'argument --seed: must not be negative, got -1' in capsys.readouterr().err
