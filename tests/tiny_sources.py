"""Three expressions on two images of 40 x 30 pixels, in every layout that annotations come in."""
import json
from pathlib import Path

import torch

BOX = [4.0, 5.0, 14.5, 25.0]
XYWH = [4.0, 5.0, 10.5, 20.0]
NAME = 'COCO_train2014_{:012d}.jpg'
# (image, split, expression)
SAID = [(5, 'train', 'left cup'), (5, 'train', 'the  cup'), (6, 'val', 'dog')]


def splits():
    return {split: [(image, text) for image, own, text in SAID if own == split] for split in ('train', 'val')}


def write_json(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def write_index(folder: Path, key: str = 'unc', box=None, entries=None) -> Path:
    for split, said in splits().items():
        rows = [(NAME.format(image), f'{k}.pth', box or XYWH, text, []) for k, (image, text) in enumerate(said)]
        path = folder / key / f'{key}_{split}.pth'
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(rows if entries is None else entries, path)
    return folder


def write_flickr_index(folder: Path) -> Path:
    for split, said in splits().items():
        (folder / 'flickr').mkdir(parents=True, exist_ok=True)
        torch.save([(f'{image}.jpg', BOX, text) for image, text in said], folder / 'flickr' / f'flickr_{split}.pth')
    return folder


def write_mdetr(folder: Path, family: str = 'refcoco') -> Path:
    for split, said in splits().items():
        write_json(folder / f'finetune_{family}_{split}.json', {
            'images': [{'id': 100 + k, 'file_name': NAME.format(image), 'width': 40, 'height': 30, 'caption': text,
                        'original_id': image} for k, (image, text) in enumerate(said)],
            'annotations': [{'id': k, 'image_id': 100 + k, 'bbox': XYWH, 'original_id': 7} for k in range(len(said))]})
    return folder


def write_shikra(folder: Path, family: str = 'refcoco_unc') -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = 0
    for split, said in splits().items():
        lines = []
        for image, text in said:
            number += 1
            lines.append({'img_path': NAME.format(image), 'expression': text, 'bbox': BOX, 'height': 30, 'width': 40,
                          'sent_id': number, 'dataset_name': f'jxu124/{family.partition("_")[0]}'})
        (folder / f'REC_{family}_{split}.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return folder


def write_split_dict(folder: Path) -> Path:
    grouped = {split: {} for split in splits()}
    for image, split, text in SAID:
        grouped[split].setdefault(image, []).append(text)
    write_json(folder / 'instances.json', {
        split: [{'ann_id': 7, 'image_id': image, 'bbox': XYWH, 'expressions': texts, 'width': 40, 'height': 30}
                for image, texts in objects.items()] for split, objects in grouped.items()})
    return folder


def write_referit(folder: Path) -> Path:
    write_json(folder / 'referit_query_train.json', {'5_1': ['left cup', 'the  cup']})
    write_json(folder / 'referit_query_val.json', {'6_2': ['dog']})
    write_json(folder / 'referit_bbox.json', {'5_1': [4, 5, 14, 25], '6_2': [0, 0, 39, 29]})
    write_json(folder / 'referit_imsize.json', {'5.jpg': [40, 30], '6.jpg': [40, 30]})
    return folder


def write_real_games(folder: Path) -> Path:
    """With boxes in masks; 0 is the object."""
    import numpy as np
    from scipy.io import savemat
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'RealGames.txt').write_text('5_1.jpg~left cup~0.2~0.3\n5_1.jpg~the  cup~0.2~0.3\n6_2.jpg~dog~0.5~0.5\n')
    for region, (x1, y1, x2, y2) in {'5_1': (4, 5, 14, 25), '6_2': (0, 0, 39, 29)}.items():
        mask = np.ones((30, 40), np.uint8)
        mask[y1:y2 + 1, x1:x2 + 1] = 0
        savemat(folder / f'{region}.mat', {'segimg_t': mask})
    (folder / 'referit_train_imlist.txt').write_text('5\n')
    (folder / 'referit_val_imlist.txt').write_text('6\n')
    return folder


def write_entities(folder: Path) -> Path:
    """A phrase with two boxes, one without any, one of no chain, and one with one box."""
    sentences = {'5': '[/EN#11/people Two  men] near [/EN#12/scene a lake] in [/EN#0/notvisual the end] .\n'
                      '[/EN#11/people They] hold [/EN#13/clothing/other a red hat] .\n', '6': '[/EN#14/animals A dog] .\n'}
    objects = {'5': [(['11'], (2, 3, 11, 21)), (['11'], (21, 5, 40, 30)), (['13'], (5, 6, 15, 26)), (['12'], None)],
               '6': [(['14'], (1, 1, 40, 30))]}
    for name, text in sentences.items():
        (folder / 'Sentences').mkdir(parents=True, exist_ok=True)
        (folder / 'Annotations').mkdir(parents=True, exist_ok=True)
        (folder / 'Sentences' / f'{name}.txt').write_text(text)
        body = ''
        for chains, box in objects[name]:
            names = ''.join(f'<name>{chain}</name>' for chain in chains)
            tags = zip(('xmin', 'ymin', 'xmax', 'ymax'), box or (), strict=False)
            inner = ''.join(f'<{tag}>{value}</{tag}>' for tag, value in tags)
            place = f'<bndbox>{inner}</bndbox>' if box else '<scene>1</scene><nobndbox>1</nobndbox>'
            body += f'<object>{names}{place}</object>'
        (folder / 'Annotations' / f'{name}.xml').write_text(
            f'<annotation><filename>{name}.jpg</filename><size><width>40</width><height>30</height></size>{body}</annotation>')
    (folder / 'train.txt').write_text('5\n')
    (folder / 'val.txt').write_text('6\n')
    return folder
