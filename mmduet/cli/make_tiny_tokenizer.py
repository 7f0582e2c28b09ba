"""Make a Hugging Face tokenizer of whole words from a vocabulary file.

    mmduet make-tiny-tokenizer mmduet/refshapes/vocab.txt OUT_DIR
"""
import argparse
import json
from functools import partial
from pathlib import Path

from mmduet.cli import running

SPECIAL = {'pad_token': '[PAD]', 'unk_token': '[UNK]', 'cls_token': '[CLS]', 'sep_token': '[SEP]'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of this command."""
    parser.add_argument('vocabulary', type=Path, help='one token per line in the order of ids')
    parser.add_argument('out', type=Path, help='folder to write to')
    parser.set_defaults(writes=lambda arguments: [arguments.out / 'tokenizer.json'])
    parser.add_argument('--length', type=_length, default=16, help='tokens of a text, with [CLS] and [SEP]')


def _length(text: str) -> int:
    if int(text) <= 2:
        raise argparse.ArgumentTypeError(f'must be above 2, as [CLS] and [SEP] are two of them, got {text}')
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    from mmduet.io.errors import DataError
    from mmduet.io.files import write_atomically
    from mmduet.io.text import read_text
    ids = {word: number for number, word in enumerate(read_text(arguments.vocabulary).split())}
    if missing := [word for word in SPECIAL.values() if word not in ids]:
        raise DataError(f'{arguments.vocabulary} is no vocabulary: it has no {", ".join(missing)}')
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=SPECIAL['unk_token']))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]', special_tokens=[(name, ids[name]) for name in ('[CLS]', '[SEP]')])
    tokenizer.add_special_tokens(list(SPECIAL.values()))
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_atomically(arguments.out / 'tokenizer.json', tokenizer.to_str(pretty=True))
    config = {'tokenizer_class': 'PreTrainedTokenizerFast', 'model_max_length': arguments.length, **SPECIAL}
    write_atomically(arguments.out / 'tokenizer_config.json', json.dumps(config, indent=2) + '\n')
    print(f'{arguments.out}: {len(ids)} words')
    return 0


parse_args, main = partial(running.parse_args, __name__), partial(running.main, __name__)
