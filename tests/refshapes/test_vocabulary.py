from mmduet.refshapes import VOCABULARY_FILE, caption, make_example, region_phrase, scene_rng, vocabulary


def test_the_word_list_file_is_the_vocabulary_in_the_order_of_ids():
    lines = VOCABULARY_FILE.read_text(encoding='utf-8').splitlines()
    assert lines == list(vocabulary())
    assert lines[:8] == ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'the', 'a', 'and', 'thing']


def test_the_vocabulary_covers_everything_the_generator_says():
    known = set(VOCABULARY_FILE.read_text(encoding='utf-8').split())
    said = set()
    for split in ('train', 'testA', 'testB'):
        for index in range(400):
            example, rng = make_example(1, split, index), scene_rng(2, split, index)
            said.update(example.expressions[0].tokens, caption(rng, example.scene).split())
            said.update(*(region_phrase(rng, item).split() for item in example.scene.objects))
    assert said <= known
    assert said == known - {'[PAD]', '[UNK]', '[CLS]', '[SEP]'}
