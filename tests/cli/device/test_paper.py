import json

import pytest

from mmduet.cli import benchmark
from mmduet.cli.device import paper
from mmduet.cli.device.cards import Card
from tests.shared_data import ROOT


def test_gradients_travel_in_rings_within_a_machine_and_between_machines():
    # 1 GB over 8 cards at 450 GB/s: 2 * 7 / 8 of it; over 64 also 2 * 7 / 8 of it at 50 GB/s between 8 machines.
    inside = 2 * 7 / 8 / 450
    assert paper.all_reduce_seconds(10**9, 8, 450) == pytest.approx(inside)
    assert paper.all_reduce_seconds(10**9, 2, 450) == pytest.approx(1 / 450)
    assert paper.all_reduce_seconds(10**9, 64, 450) == pytest.approx(inside + 2 * 7 / 8 / 50)


def test_a_card_is_limited_by_its_products_and_a_step_by_what_traffic_does_not_hide():
    # 100 TFLOP/s and 1 TFLOP an expression: 100 a second, 50 at half of it, 64 of them in 1.28 s, of which 0.85 s are backward.
    found = paper._calculate_card(Card('x', 100.0, 1.0), 4, {'training': 1e12, 'prediction': 5e11}, 10**9, 10.0)
    assert (found['limit'], found['prediction_limit']) == (100, 200)
    one, eight, _ = found['sizes']
    assert one == pytest.approx({'cards': 1, 'expressions_per_second': 50, 'all_reduce_ms': 0, 'step_ms': 1280, 'cores': 1.25,
                                 'hours': 120_624 * 90 / 50 / 3600})
    whole = 1.28 + (1.75 - 2 / 3 * 1.28)
    assert eight['expressions_per_second'] == pytest.approx(8 * 64 / whole)


def test_a_step_is_counted_and_the_arithmetic_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('mmduet.cli.made_up_data.IMAGES', 8)
    flags = ['--on-paper', '--threads', '1', '--out', str(tmp_path / 'paper.json'), '--cfg-options', 'default_scope=mmduet']
    assert benchmark.main([str(ROOT / 'tests/tiny_config.py'), *flags]) == 0
    printed, report = capsys.readouterr().out, json.loads((tmp_path / 'paper.json').read_text())
    image, answer = 2 * 4 * 4 * 8 * 3 * 8 * 8, 2 * 8 * 4
    assert report['flops_per_expression']['1'] == {'training': 2 * image + 3 * answer, 'prediction': image + answer}
    assert report['flops_per_expression']['4'] == {'training': 2 * image / 4 + 3 * answer, 'prediction': image / 4 + answer}
    assert not report['distilled'] and report['gradient_bytes'] == 4 * (3 * 8 * 8 * 8 + 8 + 64 * 8 + 8 + 8 + 8 * 4 + 4)
    assert [(card['card'], card['k']) for card in report['cards']] == [
        (name, k) for name in ('H100', 'A100', 'RTX 4090') for k in (1, 4)]
    assert '| H100 | 4 |' in printed and 'images of 640 x 480 a second' in printed


def test_the_operations_of_a_teacher_are_counted_whole(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('mmduet.cli.made_up_data.IMAGES', 8)
    flags = ['--on-paper', '--threads', '1', '--no-pretrained', '--out', str(tmp_path / 'paper.json')]
    assert benchmark.main(['configs/duet/transvg_duet_refshapes.py', *flags]) == 0
    printed, report = capsys.readouterr().out, json.loads((tmp_path / 'paper.json').read_text())
    tower = json.loads((ROOT / 'mmduet/refshapes/tiny_clip/clip_tiny_refshapes.json').read_text())
    vision, text, width = tower['vision_cfg'], tower['text_cfg'], tower['embed_dim']

    def layers(config, tokens):
        # Four projections and a perceptron of four times the width of every token, and attention: scores and means.
        one = config['width']
        return config['layers'] * (2 * tokens * one * one * (4 + 2 * config.get('mlp_ratio', 4)) + 2 * 2 * tokens ** 2 * one)

    tokens = (vision['image_size'] // vision['patch_size']) ** 2
    image = 2 * tokens * 3 * vision['patch_size'] ** 2 * vision['width'] + layers(vision, tokens + 1)
    looked = {1: 2, 4: 1 / 4 + 3 / 4}  # images and targets for each expression; of four expressions two are about one
    for k, flops in report['flops_per_expression'].items():
        seen = flops['teacher'] - looked[int(k)] * (image + 2 * vision['width'] * width)
        # Texts, and what patch features take beyond the embedding: a layer at most, and their projection.
        assert 0 < seen < layers(text, text['context_length']) + layers({**vision, 'layers': 1}, tokens + 1) + \
            2 * (text['width'] + 2 * tokens * vision['width']) * width
        assert f'the teacher adds {flops["teacher"] / 1e9:.1f}, {flops["teacher"] / flops["training"]:.0%}' in printed
    assert report['distilled'] and 'the table is of the student alone' in printed
