"""The data sets that ``mmduet prepare`` knows, with their published counts, and the layouts they come in.

A further data set is one more entry; a further layout one more reader.
"""
import difflib

from mmduet.datasets.readers.dataset_spec import DatasetSpec, Layout
from mmduet.datasets.readers.flickr30k import PROTOCOLS, find_entities, read_entities
from mmduet.datasets.readers.index_files import find_index, read_index
from mmduet.datasets.readers.json_lines import find_own, find_shikra, read_own, read_shikra
from mmduet.datasets.readers.mdetr_json import find_mdetr, read_mdetr
from mmduet.datasets.readers.official_refcoco import find_official, read_official, read_refshapes
from mmduet.datasets.readers.referit import find_real_games, find_referit, read_real_games, read_referit
from mmduet.datasets.readers.split_dict_json import find_split_dict, read_split_dict
from mmduet.io.errors import DataError

LAYOUTS: dict[str, Layout] = {
    'official': Layout(files='instances.json with refs(unc).p, refs(umd).p or refs(google).p', find=find_official,
                       read=read_official),
    'index': Layout(files='<key>_<split>.pth of the TransVG family', find=find_index, read=read_index),
    'mdetr': Layout(files='finetune_refcoco_<split>.json', find=find_mdetr, read=read_mdetr),
    'shikra': Layout(files='REC_<data set>_<split>.jsonl', find=find_shikra, read=read_shikra),
    'split-dict': Layout(files='instances.json of SeqTR or SimVG, objects by split', find=find_split_dict,
                         read=read_split_dict),
    'referit': Layout(files='referit_query_<split>.json with referit_bbox.json', find=find_referit, read=read_referit),
    'real-games': Layout(files='RealGames.txt with masks and lists of images', find=find_real_games, read=read_real_games),
    'entities': Layout(files='Sentences/, Annotations/ and lists of images', find=find_entities, read=read_entities),
    'refshapes': Layout(files='what mmduet make-refshapes writes', find=find_official, read=read_refshapes),
    'own': Layout(files='a .jsonl, whose lines are objects, with image, expression and box or segmentation',
                  find=find_own, read=read_own),
}


def _layouts(*names: str) -> dict[str, Layout]:
    return {name: LAYOUTS[name] for name in names}


_REFCOCO = _layouts('official', 'index', 'mdetr', 'shikra', 'split-dict')

CATALOG: dict[str, DatasetSpec] = {spec.name: spec for spec in (
    DatasetSpec(
        name='refcoco_unc', family='refcoco', split_by='unc', index_key='unc', layouts=_REFCOCO, collection='coco',
        published={'train': (16994, 42404, 120624), 'val': (1500, 3811, 10834),
                   'testA': (750, 1975, 5657), 'testB': (750, 1810, 5095)}),
    DatasetSpec(
        name='refcocoplus_unc', family='refcoco+', split_by='unc', index_key='unc+', layouts=_REFCOCO, collection='coco',
        published={'train': (16992, 42278, 120191), 'val': (1500, 3805, 10758),
                   'testA': (750, 1975, 5726), 'testB': (750, 1798, 4889)}),
    DatasetSpec(
        name='refcocog_umd', family='refcocog', split_by='umd', index_key='gref_umd', layouts=_REFCOCO, collection='coco',
        published={'train': (21899, 42226, 80512), 'val': (1300, 2573, 4896), 'test': (2600, 5023, 9602)}),
    DatasetSpec(
        name='refcocog_google', family='refcocog', split_by='google', index_key='gref', layouts=_REFCOCO, collection='coco',
        published={'train': (24698, 44822, 85474), 'val': (4650, 5000, 9536)}, shares_images=True,
        warning='the google split divides objects, not images: images of its val are also in its train, so a score on it is '
                'not that of unseen images, and its train must not be mixed with val or test of refcocog_umd'),
    DatasetSpec(
        name='referit', family='referit', split_by='berkeley', index_key='referit', collection='iaprtc12',
        layouts=_layouts('referit', 'real-games', 'index', 'split-dict'),
        published={'train': (None, None, 54127), 'val': (None, None, 5842), 'test': (None, None, 60103)},
        # The query files hold nine expressions that the index files leave out without saying why.
        published_in={'referit': {'train': (8995, 44649, 54134), 'val': (1000, 4866, 5842), 'test': (9994, 49730, 60105)}}),
    DatasetSpec(
        name='flickr30k', family='flickr30k', index_key='flickr', layouts=_layouts('entities', 'index', 'split-dict'),
        collection='flickr30k', protocols=PROTOCOLS,
        published={'train': (29783, None, 427193), 'val': (1000, None, 14433), 'test': (1000, None, 14481)}),
    DatasetSpec(name='refshapes', split_by='unc', layouts=_layouts('refshapes'), collection='refshapes'),
    DatasetSpec(name='own', layouts=_layouts('own'), collection='own'),
)}


def find_dataset(name: str) -> DatasetSpec:
    """The data set of that name; a ``DataError`` names the nearest where there is none."""
    if name not in CATALOG:
        near = [known for known in CATALOG if known.startswith(name + '_')]
        near = near or difflib.get_close_matches(name, CATALOG, n=2, cutoff=0.4)
        hint = f'; did you mean {" or ".join(near)}?' if near else ''
        raise DataError(f'no data set is called {name!r}{hint} (known: {", ".join(CATALOG)})')
    return CATALOG[name]
