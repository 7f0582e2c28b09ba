import sys
from pathlib import Path

from tests.load_tool import load_tool

ROOT = Path(__file__).resolve().parents[2]


def test_the_tokenizer_folder_is_made_again_byte_for_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['make', str(ROOT / 'mmduet/refshapes/vocab.txt'), str(tmp_path)])
    load_tool('model_converters/make_tiny_tokenizer').main()
    shipped = ROOT / 'mmduet/refshapes/tiny_clip/tokenizer'
    for name in ('tokenizer.json', 'tokenizer_config.json'):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()
