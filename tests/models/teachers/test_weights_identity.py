from mmduet.models.teachers.weights_identity import hash_json, identify_weights


def test_weights_are_what_a_file_and_the_description_beside_it_hold(tmp_path):
    (tmp_path / 'a.pt').write_bytes(b'abc')
    alone = 'SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    assert identify_weights(str(tmp_path / 'a.pt')) == alone
    (tmp_path / 'open_clip_config.json').write_text('{"b": 1, "a": 2}')
    described = identify_weights(str(tmp_path / 'a.pt'))
    assert described == f'{alone} with open_clip_config.json {hash_json(tmp_path / "open_clip_config.json")}'
    (tmp_path / 'open_clip_config.json').write_text('{"a":2,\n"b":1}')
    assert identify_weights(str(tmp_path / 'a.pt')) == described


def test_tags_random_weights_and_files_that_are_gone_have_a_name_each(tmp_path):
    assert (identify_weights(None), identify_weights('laion2b_s34b_b88k')) == ('random', 'tag laion2b_s34b_b88k')
    assert identify_weights(str(tmp_path / 'gone.pt')) == 'a file that is not here (gone.pt)'
