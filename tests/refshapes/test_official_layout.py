import pickle

from mmduet.refshapes.expressions import Expression
from mmduet.refshapes.official_layout import OfficialLayout, image_name
from mmduet.refshapes.scene import Scene, SceneObject

SCENE = Scene((SceneObject('star', 'red', 'big', 200, 500, 150), SceneObject('ring', 'blue', 'small', 700, 500, 96)), 1)


def layout(text):
    made = OfficialLayout(64)
    made.add('val', 4, SCENE, (Expression('attribute', tuple(text.split())), ))
    return made


def test_ids_say_split_scene_and_object():
    made = layout('the ring')
    assert made.images == [{'id': 1000005, 'file_name': 'refshapes_val_000004.png', 'width': 64, 'height': 64}]
    assert [item['id'] for item in made.annotations] == [16000080, 16000081]
    assert (made.refs[0]['ref_id'], made.refs[0]['ann_id'], made.refs[0]['sent_ids']) == (1000005, 16000081, [16000080])
    assert made.refs[0]['file_name'] == 'refshapes_val_000004_16000081.png'


def test_further_targets_are_references_of_their_own():
    made = OfficialLayout(64)
    ring, star, red = (Expression('attribute', ('the', word)) for word in ('ring', 'star', 'red'))
    made.add('val', 4, SCENE, (ring, ), [(0, (star, red))])
    assert [(ref['ref_id'], ref['ann_id'], ref['sent_ids'], ref['category_id']) for ref in made.refs] == [
        (1000005, 16000081, [16000080], 7), (9000005, 16000080, [16000081, 16000082], 4)]
    assert [ref['file_name'] for ref in made.refs] == ['refshapes_val_000004_16000081.png', 'refshapes_val_000004_16000080.png']


def test_boxes_and_categories_are_those_of_the_scene():
    star, ring = layout('the ring').annotations
    assert (star['bbox'], star['category_id'], star['colour'], star['size']) == ([3.125, 21.875, 18.75, 18.75], 4, 'red', 'big')
    assert (ring['bbox'], ring['area'], ring['category_id']) == ([37.75, 25.25, 12.0, 12.0], 144.0, 7)


def test_the_pickle_does_not_depend_on_who_made_the_words():
    copied = layout(''.join(['the ', 'blue ', 'ring']))
    copied.add('val', 5, SCENE, (Expression('attribute', tuple(' '.join(['the', 'ring']).split())), ))
    loaded = layout('the blue ring')
    loaded.add('val', 5, SCENE, pickle.loads(pickle.dumps((Expression('attribute', ('the', 'ring')), ))))
    assert pickle.dumps(copied.refs, protocol=2) == pickle.dumps(loaded.refs, protocol=2)


def test_an_image_is_named_by_split_and_scene():
    assert image_name('heldout', 12) == 'refshapes_heldout_000012.png'
