from pathlib import Path

import huggingface_hub.constants as hub
import pytest

from mmduet.apis import GroundingInferencer, PretrainedGrounder
from mmduet.apis.hub import check_options, fetch, require_hub_name
from mmduet.cli import predict
from mmduet.cli.main import build_parser
from mmduet.engine.config_tools import ConfigError
from tests.hub_stand_in import HubHandler, serving
from tests.tiny_data import write_photo

HINT = '; on the hub a model is OWNER/MODEL'


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    for name in ('work_dirs/transvg', 'my_model'):
        (tmp_path / 'here' / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / 'here')


@pytest.mark.parametrize('name', ['someone/model', 'some-one/Model_v1.5', 'a/clip-v2.1-b16', '4u/x', 'someone/duet.refcoco',
                                  'someone/resnet50.a1_in1k'])
def test_owner_and_model_are_asked_for_on_the_hub(name):
    assert require_hub_name(name) is None


@pytest.mark.parametrize(('name', 'end'), [
    ('toyy', '; nearest: toy'), ('my_modle', '; nearest: my_model'), ('quux', HINT), (r'someone\model', HINT),
    ('work_dirs/tranvsg', '; nearest: transvg'), ('./someone/model', ''), ('/someone/model', ''), ('../model', ''),
    ('~/model', ''), ('a/b/c', ''), ('someone/', ''), ('', ''), ('a b/c', ''), ('someone/best.pth', ''), ('a\0b/c', ''),
    ('someone/model.onnx', ''), ('someone/photo.JPG', ''), ('someone/model.zip', ''), ('someone/model.pth.tar', '')])
def test_what_can_only_be_a_path_is_not(name, end):
    with pytest.raises(FileNotFoundError) as caught:
        require_hub_name(name, ('toy', ))
    assert str(caught.value).startswith(f'there is no checkpoint or folder {name}') and str(caught.value).endswith(end or name)


@pytest.mark.parametrize('name', ['transvg_duet_refcoco', 'transvg_duet_refcoco.py'])
def test_the_name_of_a_config_is_told_from_that_of_a_model(name):
    with pytest.raises(ConfigError, match=f'{name} is the name of a config, which has no weights'):
        require_hub_name(name)


def test_options_are_those_of_the_hub():
    options = {'revision': 'v1', 'token': False, 'cache_dir': 'here', 'force_download': True, 'local_files_only': True}
    assert check_options(options) == options
    with pytest.raises(TypeError, match='unknown option revison; nearest: revision; the hub has revision, token, cache_dir'):
        GroundingInferencer('toy', revison='v1')
    with pytest.raises(ConfigError, match='a revision is for names on the hub, and my_model is here'):
        PretrainedGrounder.from_pretrained('my_model', revision='v1')


@pytest.mark.parametrize('option', [{'cache_dir': 'one'}, {'token': 'hf_not_a_token'}, {'force_download': True}])
def test_options_of_the_hub_are_refused_where_nothing_is_fetched(option):
    name, = option
    toy = PretrainedGrounder.from_pretrained('toy', local_files_only=True, token=False)
    toy.save_pretrained('toy_folder')
    toy.save_weights(Path('toy.safetensors'))
    for model, why in (('toy', 'toy is here'), ('toy_folder', 'toy_folder is here'), (toy, 'the model is a PretrainedGrounder'),
                       ('toy_folder/config.json', 'toy_folder is here'),
                       ('toy.safetensors', r'toy\.safetensors is here and lacks nothing')):
        with pytest.raises(ConfigError, match=f'a {name} is for names on the hub, and {why}'):
            GroundingInferencer(model, **option)
    assert type(GroundingInferencer('toy.safetensors', local_files_only=True).model).__name__ == 'TransVG'
    with pytest.raises(ConfigError, match='weights and vocabulary are for what is read, and a PretrainedGrounder has its own'):
        GroundingInferencer(toy, vocabulary='vocab.txt')


def test_the_cache_of_a_model_that_is_here_is_refused_by_the_commands(capsys):
    write_photo(Path('a.png'))
    assert predict.main(['a.png', 'the ring', '--cache-dir', 'one']) == 1
    assert capsys.readouterr().err == 'error: a cache_dir is for names on the hub, and toy is here\n'
    assert predict.main(['a.png', 'the ring', '--offline', '--json', '-']) == 0


def test_revision_token_and_cache_reach_the_hub_from_the_inferencer_and_the_command(monkeypatch, capsys):
    write_photo(Path('a.png'))
    with serving(HubHandler) as server:
        monkeypatch.setattr(hub, 'HF_HUB_OFFLINE', False)
        monkeypatch.setattr(hub, 'ENDPOINT', server.url)
        monkeypatch.setattr(hub, 'HUGGINGFACE_CO_URL_TEMPLATE', server.url + '/{repo_id}/resolve/{revision}/{filename}')
        PretrainedGrounder.from_pretrained('toy').push_to_hub('someone/tiny', token='hf_not_a_token')
        expected = GroundingInferencer('toy')('a.png', 'the ring')[0].box
        found = GroundingInferencer('someone/tiny', cache_dir='one', token=False, force_download=True, revision='main')
        assert found('a.png', 'the ring')[0].box == expected and Path('one/models--someone--tiny').is_dir()
        command = ['a.png', 'the ring', '--model', 'someone/tiny', '--cache-dir', 'two', '--json', '-']
        assert predict.main([*command, '--revision', 'v1']) == 1 and '/someone/tiny/resolve/v1/config.json' in server.asked
        assert predict.main([*command, '--offline']) == 1
        assert predict.main(command) == 0 and Path('two/models--someone--tiny').is_dir()
        asked = len(server.asked)
        assert predict.main([*command, '--offline']) == 0 and len(server.asked) == asked
        server.files.clear()
        with pytest.raises(FileNotFoundError, match=r'there is no folder or checkpoint work_dir/transvg, and config\.json of a '
                                                    r'model .* cannot be fetched .*; nearest: work_dirs'):
            fetch('work_dir/transvg', {'cache_dir': 'one'}, 'config.json')
    assert 'Traceback' not in capsys.readouterr().err


@pytest.mark.parametrize('command', ['predict a b', 'demo', 'export m', 'publish m f'])
def test_every_command_that_takes_a_model_of_the_hub_has_its_options(command):
    words = command.split()
    args = build_parser(words[0]).parse_args([*words, '--revision', 'v1', '--cache-dir', 'here', '--offline'])
    assert (args.revision, args.cache_dir, args.offline) == ('v1', 'here', True)
