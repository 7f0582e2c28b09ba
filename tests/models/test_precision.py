import re

import pytest
import torch

from mmduet.models import precision
from mmduet.models.precision import choose_precision, fitting_precision

NOTHING = {'avx2': True, 'avx512_f': True, 'avx512_bf16': False, 'amx_bf16': False}


@pytest.mark.parametrize(('capabilities', 'chosen', 'reason'), [
    (NOTHING, 'float32', 'this CPU does not multiply bfloat16 natively'),
    ({**NOTHING, 'avx512_bf16': True}, 'bfloat16', r'natively \(avx512_bf16\)'),
    ({**NOTHING, 'amx_bf16': True}, 'bfloat16', r'natively \(amx_bf16\)'),
    ({'neon': True, 'bf16': True}, 'bfloat16', r'natively \(bf16\)'),
    ({'neon': True, 'bf16': False}, 'float32', 'this CPU does not'),
    ({'sve_bf16': True}, 'bfloat16', r'natively \(sve_bf16\)')])
def test_a_cpu_takes_bfloat16_where_it_multiplies_it(monkeypatch, capabilities, chosen, reason):
    monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: capabilities, raising=False)
    name, why = fitting_precision(torch.device('cpu'))
    assert name == chosen
    assert re.search(reason, why)


@pytest.mark.parametrize(('avx512', 'amx', 'chosen'), [(False, False, 'float32'), (True, False, 'bfloat16'),
                                                       (False, True, 'bfloat16')])
def test_an_older_pytorch_is_asked_in_its_way(monkeypatch, avx512, amx, chosen):
    monkeypatch.delattr(torch.cpu, 'get_capabilities', raising=False)
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: avx512)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: amx)
    assert fitting_precision('cpu')[0] == chosen


@pytest.mark.parametrize(('native', 'chosen'), [(True, 'bfloat16'), (False, 'float16')])
def test_a_gpu_takes_bfloat16_where_it_is_not_emulated(monkeypatch, native, chosen):
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation=True: native or including_emulation)
    assert fitting_precision('cuda')[0] == fitting_precision('cuda:1')[0] == chosen


def test_another_device_computes_in_full_precision():
    assert fitting_precision('mps') == ('float32', 'nothing tells what a device of type mps multiplies natively')


def test_this_cpu_answers_without_being_told():
    assert fitting_precision('cpu')[0] in ('bfloat16', 'float32')


def test_what_is_asked_is_taken_and_only_a_choice_is_told(monkeypatch):
    told = []
    monkeypatch.setattr(precision, 'print_log', lambda text, **_: told.append(text))
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: False)
    assert choose_precision('bfloat16', 'cuda', 'the teacher') == 'bfloat16'
    assert told == []
    assert choose_precision('auto', 'cuda', 'the teacher') == 'float16'
    assert told == ['precision of the teacher: float16, as this GPU does not multiply bfloat16 natively']
