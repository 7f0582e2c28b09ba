"""From the config of a training and its weights to the student, without any other file."""
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from torch import Tensor

from mmduet.apis.hub import HubOptions, refuse_options
from mmduet.apis.model_budget import build_within
from mmduet.engine.checkpoint import fit_to_model, load_strictly
from mmduet.engine.config_tools import ConfigError
from mmduet.io.files import find_file, write_anew
from mmduet.io.text import read_text
from mmduet.models.base_grounder import BaseGrounder
from mmduet.models.score_heads import with_score_head

VOCABULARY = 'vocab.txt'
_BERT = 'text_encoder.bert.'
_PER_HEAD = 64  # channels of an attention head in every BERT that was published


def build_student(model: Mapping[str, Any], state: Mapping[str, Tensor], vocabulary: str | None,
                  source: str | Path, hub: HubOptions | None = None) -> tuple[BaseGrounder, dict[str, Any]]:
    """Build a student for weights and load them.

    Args:
        model: config of a student, or of a distilled one, whose student is taken. It is not changed.
        state: weights, of either.
        vocabulary: content of the ``vocab.txt`` of its text encoder; None where the config names it, or none is needed.
        source: what the weights come from, for messages.
        hub: how a vocabulary that the config names is taken from the hub.

    Returns:
        The student in eval mode, and a config that builds it from its weights and ``vocab.txt`` alone.

    Raises:
        CheckpointMismatchError: the weights are of another model.
        FileNotFoundError: there is no vocabulary; says how to give one.
        ConfigError: there are options of the hub and nothing is taken from there.
    """
    config = deepcopy(dict(model.get('student', model)))
    if not isinstance(vocabulary, str | None):
        raise ConfigError(f'the vocabulary in {source} is no text but a {type(vocabulary).__name__}')
    weights = {key.removeprefix('student.'): value for key, value in state.items()}
    config = with_score_head(config, weights)
    text = config.get('text_encoder')
    if hub and (vocabulary is not None or not isinstance(text, dict) or not _is_fetched(text)):
        refuse_options(hub, f'{source} is here and lacks nothing')
    if isinstance(text, dict):
        text = config['text_encoder'] = dict(text)
        vocabulary = vocabulary or find_vocabulary(text, source, hub)
        if text.get('pretrained'):
            text['config'] = {**bert_geometry(weights), **(text.get('config') or {})}
    _forget_files(config)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(text, dict) and vocabulary is not None:
            path = Path(folder) / VOCABULARY
            write_anew(path, vocabulary.encode())
            text['vocab'] = str(path)
        student = build_within(config, weights, source)
    if isinstance(text, dict) and vocabulary is not None:
        text['vocab'] = VOCABULARY
    fitting, _ = fit_to_model(state, student)
    load_strictly(student, fitting, source)
    return student.eval(), config


def _forget_files(node: Any) -> None:
    """Set every pre-training file to None: all weights come from the checkpoint."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in ('pretrained', 'init_cfg'):
                node[key] = None
            else:
                _forget_files(value)
    elif isinstance(node, list | tuple):
        for value in node:
            _forget_files(value)


def _is_fetched(text: Mapping[str, Any]) -> bool:
    """Whether a vocabulary is taken from the hub or its cache, where a checkpoint holds none."""
    return not text.get('vocab') and bool(text.get('pretrained')) and not Path(text['pretrained']).is_dir()


def find_vocabulary(text: Mapping[str, Any], source: str | Path, hub: HubOptions | None = None) -> str | None:
    """The vocabulary that the config of a text encoder names: a file, or that of a BERT on the hub or in its cache.

    None where it names none: words are hashed, or the vocabulary is CLIP's own.

    Raises:
        FileNotFoundError: it is in none of these places.
    """
    name = text.get('vocab') or text.get('pretrained')
    if not name:
        return None
    try:
        if text.get('vocab'):
            return read_text(find_file(name))
        path = Path(name) / VOCABULARY
        if not Path(name).is_dir():
            from huggingface_hub import hf_hub_download
            path = Path(hf_hub_download(name, VOCABULARY, **(hub or {})))
        print_log(f'{source} holds no vocabulary: took that of {name} from {path}', logger='current')
        return read_text(path)
    except (OSError, ValueError, RuntimeError) as error:
        raise FileNotFoundError(f'{source} holds no vocabulary, and that of {name} is neither here nor can it be fetched '
                                f'({type(error).__name__}): give the path of its {VOCABULARY} as vocabulary=') from error


def bert_geometry(weights: Mapping[str, Tensor]) -> dict[str, int]:
    """The sizes of a BERT, fields of ``transformers.BertConfig``, read off its weights; empty where there is none."""
    key = f'{_BERT}embeddings.word_embeddings.weight'
    if key not in weights:
        return {}
    words, width = weights[key].shape
    layers = {int(name.removeprefix(f'{_BERT}encoder.layer.').partition('.')[0]) for name in weights
              if name.startswith(f'{_BERT}encoder.layer.')}
    return {'vocab_size': words, 'hidden_size': width, 'num_hidden_layers': len(layers),
            'num_attention_heads': max(width // _PER_HEAD, 1),
            'intermediate_size': len(weights[f'{_BERT}encoder.layer.0.intermediate.dense.weight']),
            'max_position_embeddings': len(weights[f'{_BERT}embeddings.position_embeddings.weight']),
            'type_vocab_size': len(weights[f'{_BERT}embeddings.token_type_embeddings.weight'])}
