"""Models that travel: folders of ``save_pretrained``, configs inside checkpoints, model configs of open_clip, vocabularies."""
import json
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mmduet.apis import PretrainedGrounder
from mmduet.models.layers.tokenizers import WordPieceTokenizer
from mmduet.models.teachers.open_clip_models import build_open_clip
from mmduet.refshapes import VOCABULARY_FILE
from tests.apis.made_checkpoint import write_checkpoint
from tests.hostile.case import COMMAND, MARK, Case, Harmless, content, no_files

DEEP = '[' * 100_000 + ']' * 100_000


@cache
def _saved() -> dict[str, bytes]:
    """The files of a good folder, made once."""
    with tempfile.TemporaryDirectory(prefix='mmduet_hostile_') as folder:
        path = write_checkpoint(Path(folder) / 'a.pth')
        PretrainedGrounder.from_pretrained(path).save_pretrained(Path(folder) / 'model')
        return {file.name: file.read_bytes() for file in (Path(folder) / 'model').iterdir()} | {'a.pth': path.read_bytes()}


def _model(change: Callable[[dict[str, Any]], Any] | None = None, **files: bytes | str | None) -> Callable[[Path], Path]:
    """A good folder, but for what changes its config and for files, in whose names ``__`` is a dot; None for none."""
    def make(folder: Path) -> Path:
        place = folder / 'model'
        place.mkdir()
        for name, data in _saved().items():
            if name != 'a.pth':
                (place / name).write_bytes(data)
        config = json.loads((place / 'config.json').read_text())
        if change is not None:
            change(config)
        (place / 'config.json').write_text(json.dumps(config))
        for name, text in files.items():
            if text is None:
                (place / name.replace('__', '.')).unlink()
            else:
                content(name.replace('__', '.'), text)(place)
        return place
    return make


def _put(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Set what a path of keys joined by dots leads to."""
    def change(config: dict[str, Any]) -> None:
        *keys, last = path.split('.')
        node: Any = config
        for key in keys:
            node = node[int(key)] if isinstance(node, list) else node[key]
        node[last] = value
    return change


def _open(folder: Path) -> Any:
    return type(PretrainedGrounder.from_pretrained(folder).student).__name__


def _not_a_file(maker: Callable[[Path], Path], name: str) -> Callable[[Path], Path]:
    """A good folder in which one file is what a maker makes."""
    def make(folder: Path) -> Path:
        place = _model()(folder)
        (place / name).unlink()
        maker(place).rename(place / name) if not (place / name).is_symlink() else None
        return place
    return make


UNKNOWN = 'which no registry knows'
CONFIGS: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    'the type os.system': (_put('model.type', 'os.system'), UNKNOWN),
    'the type builtins.eval': (_put('model.type', 'builtins.eval'), UNKNOWN),
    'the type of a module to import': (_put('model.type', f'{MARK}.Evil'), UNKNOWN),
    'the type of a runner': (_put('model.type', 'mmengine.runner.Runner'), UNKNOWN),
    'a type that is a list': (_put('model.type', []), UNKNOWN), 'a type that is a number': (_put('model.type', 5), UNKNOWN),
    'a type inside': (_put('model.box_head', {'type': 'subprocess.Popen', 'args': COMMAND}), UNKNOWN),
    'a transform of another': (_put('test_pipeline.0.type', 'shutil.rmtree'), UNKNOWN),
    'a scope to import': (_put('model._scope_', MARK), r'model'),
    'a scope inside': (_put('model.visual_encoder._scope_', MARK), r'model'),
    'a model that is no student': (_put('model', {'type': 'mmdet.ResNet', 'depth': 18}), r'model'),
    'a layer for a model': (_put('model', {'type': 'Linear', 'in_features': 10**6, 'out_features': 10**6}), r'model'),
    'a vocabulary elsewhere': (_put('model.text_encoder.vocab', '/etc/passwd'), r"names the vocabulary '/etc/passwd'"),
    'a format of the future': (_put('format', 99), 'has format 99'), 'no model': (_put('model', None), 'has no model'),
    'a model that is a list': (_put('model', []), 'has no model'),
    'a pipeline that is text': (_put('test_pipeline', 'x'), 'has no model and test_pipeline'),
    'no pipeline': (_put('test_pipeline', []), 'has no model and test_pipeline'),
    'a width of 10**6': (_put('model.text_encoder.config.hidden_size', 768 * 10**3), r'model'),
    'ten million layers': (_put('model.text_encoder.config.num_hidden_layers', 10**7), r'many more parts'),
    'a vocabulary of 10**12': (_put('model.text_encoder.config.vocab_size', 10**12), r'asks for a model of'),
    'an argument that nobody has': (_put('model.evil', 1), r'model'),
    'a width of text': (_put('model.box_head', 'x'), r'model'), 'a layer more': (_put('model.text_encoder', {}), r'model')}
CODE = f'import os\nos.mkdir({MARK!r})\n'
TEXTS: dict[str, tuple[dict[str, bytes | str | None], str]] = {
    'a config that is no JSON': ({'config__json': '{'}, r'config\.json is no JSON'),
    'a config that is a list': ({'config__json': '[]'}, r'config\.json has no model'),
    'a config 100,000 deep': ({'config__json': DEEP}, r'config\.json is no JSON'),
    'a config that is no text': ({'config__json': b'\xff\xff'}, r'config\.json:1: is no text'),
    'no config': ({'config__json': None}, r'holds no config\.json'),
    'no weights': ({'model__safetensors': None}, r'model\.safetensors'),
    'weights that are a pickle': ({'model__safetensors': b'cos\nsystem\n(S"' + COMMAND.encode() + b'"\ntR.'},
    r'model\.safetensors is truncated'),
    'weights of another': ({'model__safetensors': b'\x10\0\0\0\0\0\0\0{}              '}, r'model'),
    'no vocabulary': ({'vocab__txt': None}, r'vocab\.txt'),
    'a vocabulary that is no text': ({'vocab__txt': b'\xff\xff'}, r'vocab\.txt:1: is no text'),
    'an empty vocabulary': ({'vocab__txt': b''}, r'.'),
    'a vocabulary without its marks': ({'vocab__txt': 'a\nb\n'}, r'.')}
HARMLESS: dict[str, tuple[Callable[[dict[str, Any]], Any], dict[str, bytes | str | None]]] = {
    'code beside it': (lambda config: None, {'modeling__py': CODE, '__init____py': CODE, 'sitecustomize__py': CODE,
    'config__py': CODE}),
    'code that its config names': (lambda config: config.update(auto_map={'AutoModel': 'modeling.Evil'},
    trust_remote_code=True, custom_imports={'imports': [MARK]}),
                                   {'modeling__py': CODE}),
    'weights of a pickle beside it': (lambda config: None, {'pytorch_model__bin':
    b'cos\nsystem\n(S"' + COMMAND.encode() + b'"\ntR.'}),
    'an index that leads outside': (lambda config: None, {'model__safetensors__index__json':
    '{"weight_map": {"a": "../../../etc/passwd"}}'}),
    'weights on the web': (_put('model.visual_encoder.backbone.init_cfg',
    {'type': 'Pretrained', 'checkpoint': 'http://evil.example/a.pth'}), {}),
    'weights in a file': (_put('model.pretrained', '/etc/passwd'), {}),
    'versions that are a list': (_put('versions', ['x']), {}),
    'excludes that are a mapping': (_put('pretrain_excludes', {'a': 1}), {})}


# --- the config inside a checkpoint
def _checkpoint(**meta: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / 'a.pth').write_bytes(_saved()['a.pth'])
        checkpoint = torch.load(folder / 'a.pth', weights_only=True)
        checkpoint['meta'].update(meta)
        torch.save(checkpoint, folder / 'a.pth')
        return folder / 'a.pth'
    return make


WRITTEN: dict[str, tuple[Any, str]] = {
    'an import': (f'import {MARK}', 'is no assignment'), 'a call': (f'model = __import__("os").mkdir("{MARK}")',
    'is no literal'),
    'a call inside': (f'model = dict(type=[open("{MARK}", "w")])', 'is no literal'),
    'a call of dict with stars': ('model = dict(**{"type": 1})', 'is no literal'),
    'a comprehension': ('model = [x for x in ()]', 'is no literal'), 'a lambda': ('model = lambda: 1', 'is no literal'),
    'a text with a call': ('model = f"{1}"', 'is no literal'),
    'a power': ('model = 9**9**9**9', 'is no literal'), 'a product of texts': ('model = "a" * 10**10', 'is no literal'),
    'brackets 100,000 deep': ('model = ' + DEEP, 'is no config'),
    'minus signs 100,000 deep': ('model = ' + '-' * 100_000 + '1', 'is no config|is no literal'),
    'two targets': ('model = other = {}', 'is no assignment'),
    'a name with a dot': ('os.system = 1', 'is no assignment'), 'no model': ('a = 1', 'has no model'),
    'a model that is a number': ('model = 5', 'has no model'),
    'a type to import': (f'model = dict(type="{MARK}.Evil")', UNKNOWN), 'a zero byte': ('model = 1\0', 'is no config'),
    'a decorator': ('@f\ndef g(): pass', 'is no assignment'),
    'a walrus': ('(model := 1)', 'is no assignment'), 'a key that is a list': ('model = {[]: 1}', 'unhashable type'),
    'text without end': ('model = "', 'is no config')}


# --- model configs of open_clip, with tokenizers
TINY = Path(VOCABULARY_FILE).parent / 'tiny_clip'


def _clip(change: Callable[[dict[str, Any]], Any] = lambda config: None, **tokenizer: str | bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        shutil.copytree(TINY / 'tokenizer', folder / 'tokenizer')
        for name, text in tokenizer.items():
            content(name.replace('__', '.'), text)(folder / 'tokenizer')
        config = json.loads((TINY / 'clip_tiny_refshapes.json').read_text())
        change(config)
        # A name that open_clip has not kept from another case.
        path = folder / f'clip_{folder.parent.name}_{folder.name}'.replace('.', '_')
        path = path.with_suffix('.json')
        path.write_text(json.dumps(config))
        return path
    return make


def _build(path: Path) -> Any:
    try:
        return build_open_clip(path.stem, None, str(path)).embed_dims
    except RuntimeError as error:  # as whatever builds from a config takes it
        raise ValueError(str(error)) from error


TOKENIZER = json.loads((TINY / 'tokenizer/tokenizer_config.json').read_text())
WITH_CODE = json.dumps({**TOKENIZER, 'auto_map': {'AutoTokenizer': [f'{MARK}.Evil', None]}, 'tokenizer_class': 'Evil'})
EVIL = f'{CODE}from transformers import PreTrainedTokenizer\nclass Evil(PreTrainedTokenizer):\n    pass\n'


def _set(section: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda config: config.setdefault(section, {}).update(values)


CLIPS: dict[str, tuple[Callable[[Path], Path], str | Harmless]] = {
    'good': (_clip(), Harmless(json.loads((TINY / 'clip_tiny_refshapes.json').read_text())['embed_dim'])),
    'code beside the tokenizer': (_clip(tokenizer_config__json=WITH_CODE, **{f'{MARK}__py': EVIL}), r'tokenizer'),
    'the wish to trust code': (_clip(_set('text_cfg', tokenizer_kwargs={'trust_remote_code': True}),
    tokenizer_config__json=WITH_CODE, **{f'{MARK}__py': EVIL}),
                               r'tokenizer_kwargs may hold .*, not trust_remote_code'),
    'another option of the tokenizer': (_clip(_set('text_cfg', tokenizer_kwargs={'cache_dir': '/tmp/x'})),
    r'tokenizer_kwargs may hold'),
    'options that are a list': (_clip(_set('text_cfg', tokenizer_kwargs=[1])), r'tokenizer_kwargs'), 'a text tower with code': (
        _clip(_set('text_cfg', hf_model_name='tokenizer', hf_model_pretrained=False),
        config__json=json.dumps({'auto_map': {'AutoConfig': f'{MARK}.Evil'}, 'model_type': 'evil'}), **{f'{MARK}__py': EVIL}),
        r'.'),
    'an image tower of the hub': (_clip(_set('vision_cfg', timm_model_name='hf-hub:evil/repo', timm_model_pretrained=True)),
    r'.'),
    'no text tower': (_clip(lambda config: config.pop('text_cfg')), 'needs text_cfg'),
    'a text tower that is a list': (_clip(lambda config: config.update(text_cfg=[])), 'needs a mapping as text_cfg'),
    'a width of text': (_clip(_set('vision_cfg', width='x')), r'.'),
    'a width of 10**6': (_clip(_set('vision_cfg', width=10**6)), r'.'),
    'ten million layers': (_clip(_set('vision_cfg', layers=10**7)), r'.'),
    'a vocabulary of 10**10': (_clip(_set('text_cfg', vocab_size=10**10)), r'.'),
    'negative sizes': (_clip(_set('vision_cfg', width=-64)), r'.'),
    'a tokenizer that is no JSON': (_clip(tokenizer__json='{'), r'tokenizer'),
    'a tokenizer of another kind': (_clip(tokenizer__json='{"model": {"type": "Evil"}}'), r'tokenizer'),
    'a tokenizer that is no text': (_clip(tokenizer__json=b'\xff'), r'tokenizer')}
NOT_CLIP = {'a list': ('[]', 'is a mapping, not a list'), 'no JSON': ('{', 'not valid JSON'),
    'lists 100,000 deep': (DEEP, 'not valid JSON'), 'no text': (b'\xff', 'is no text in UTF-8'),
            'nothing': ('', 'not valid JSON')}
# --- vocabularies
WORDS: dict[str, tuple[str | bytes, str | Harmless]] = {'no text': (b'\xff\xff', 'is no text in UTF-8'),
    'nothing': ('', r'v\.txt'), 'no marks': ('a\nb\n', r'v\.txt'),
                                                        'the same word twice': ('[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\na\n',
                                                        Harmless(True)),
                                                        'a word of a million letters':
                                                        ('[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n' + 'a' * 10**6 + '\n',
                                                        Harmless(True))}


def _tokenizer(path: Path) -> Any:
    return len(WordPieceTokenizer(path, max_tokens=8).encode('a cup')) > 0


CASES = [
    Case('model folder: good', _model(), {'model': _open}, Harmless('TransVG')),
    *(Case(f'model folder: {name}', _model(change), {'model': _open}, words) for name, (change, words) in CONFIGS.items()),
    *(Case(f'model folder: {name}', _model(None, **files), {'model': _open}, words) for name, (files, words) in TEXTS.items()),
    *(Case(f'model folder: {name}', _model(change, **files), {'model': _open}, Harmless('TransVG')) for name, (change, files)
    in HARMLESS.items()),
    *(Case(f'model folder: config of {name}', _not_a_file(maker, 'config.json'), {'model': _open}, r'.')
      for name, maker in no_files('config.json', '.json').items() if 'long' not in name),
    *(Case(f'model folder: vocabulary of {name}', _not_a_file(maker, 'vocab.txt'), {'model': _open}, r'vocab\.txt')
      for name, maker in no_files('vocab.txt', '.txt').items() if 'long' not in name),
    *(Case(f'config in a checkpoint: {name}', _checkpoint(cfg=text), {'model': _open}, rf'a\.pth.*{words}|{words}.*a\.pth')
    for name, (text, words) in WRITTEN.items()),
    Case('config in a checkpoint: good', _checkpoint(), {'model': _open}, Harmless('TransVG')),
    Case('config in a checkpoint: a number', _checkpoint(cfg=5), {'model': _open}, r'a\.pth holds no config'),
    Case('config in a checkpoint: a vocabulary that is a number', _checkpoint(vocabulary=5), {'model': _open}, r'a\.pth'),
    *(Case(f'open_clip: {name}', maker, {'teacher': _build}, expected) for name, (maker, expected) in CLIPS.items()),
    *(Case(f'open_clip: {name}', content('x.json', text), {'teacher': _build}, rf'x\.json.*{words}') for name, (text, words)
    in NOT_CLIP.items()),
    *(Case(f'open_clip: {name}', maker, {'teacher': _build}, r'\.json|/dev/zero') for name, maker
    in no_files('x.json', '.json').items()),
    *(Case(f'open_clip: a model {name}', lambda _, name=name: name, {'teacher': build_open_clip}, 'is a place and no name')
      for name in ('hf-hub:evil/repo', 'local-dir:gone', 'local-dir:/etc', 'local-dir:', 'hf-hub:')),
    *(Case(f'vocabulary: {name}', content('v.txt', text), {'tokenizer': _tokenizer}, expected) for name, (text, expected)
    in WORDS.items()),
    *(Case(f'vocabulary: {name}', maker, {'tokenizer': _tokenizer}, r'\.txt') for name, maker
    in no_files('v.txt', '.txt').items()),
    *(Case(f'model name: {name}', lambda folder, text=text: text, {'model': _open}, r'there is no|too long') for name, text in {
        'a parent': '../../etc', 'a URL': 'http://evil.example/model', 'a file URL': 'file:///etc/passwd',
        'too long': 'a' * 400, 'a zero byte': 'a\0b',
        'a name of three': 'a/b/c'}.items()),
]
