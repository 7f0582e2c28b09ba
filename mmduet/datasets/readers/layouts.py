"""The layouts that annotations come in, and which one a source has.

A further layout is one more reader and one more line here.
"""
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mmduet.datasets.readers.flickr30k import find_entities, read_entities
from mmduet.datasets.readers.index_files import find_index, read_index
from mmduet.datasets.readers.mdetr_json import find_mdetr, read_mdetr
from mmduet.datasets.readers.official_refcoco import find_official, read_official
from mmduet.datasets.readers.own_lines import find_own, read_own
from mmduet.datasets.readers.referit import find_real_games, find_referit, read_real_games, read_referit
from mmduet.datasets.readers.refshapes import read_refshapes
from mmduet.datasets.readers.shikra_jsonl import find_shikra, read_shikra
from mmduet.datasets.readers.source_data import SourceData
from mmduet.datasets.readers.source_files import SourceFiles, open_source
from mmduet.datasets.readers.split_dict_json import find_split_dict, read_split_dict
from mmduet.datasets.readers.target import Target
from mmduet.io.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One form of annotations.

    Attributes:
        files: what it consists of, in words.
        find: the files of a data set in it; empty where the source has none.
        read: reads what ``find`` found; a ``DataError`` names the file and the line, record or field that is wrong or missing.
    """

    files: str
    find: Callable[[SourceFiles, Target], list[Path]]
    read: Callable[[SourceFiles, list[Path], Target], SourceData]


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
    'refshapes': Layout(files='what tools/make_refshapes.py writes', find=find_official,
                        read=lambda files, paths, target: read_refshapes(paths[0].parent)),
    'own': Layout(files='JSON lines with image, expression and box or segmentation', find=find_own, read=read_own),
}


def read_source(source: Path, target: Target, layouts: Sequence[str], wanted: str | None = None) -> SourceData:
    """Recognise the layout of a source and read it.

    Args:
        source: folder, file or zip archive.
        target: the data set.
        layouts: names of those that it comes in.
        wanted: the one to read; None where the source has only one.

    Raises:
        DataError: the source has none or several of the layouts, or cannot be read; says which and what decides.
    """
    if wanted is not None and wanted not in layouts:
        raise DataError(f'{target.name} comes in the layouts {", ".join(layouts)}, not in {wanted!r}')
    with open_source(source) as files:
        found = {name: paths for name in ([wanted] if wanted else layouts) if (paths := LAYOUTS[name].find(files, target))}
        if len(found) > 1:
            choices = '; '.join(f'{name} ({_some(paths)})' for name, paths in found.items())
            raise DataError(f'{source} is ambiguous, it fits {len(found)} layouts of {target.name}: {choices}. Choose one with '
                            f'--layout {" or --layout ".join(found)}')
        if not found:
            accepted = '; '.join(f'{name}: {LAYOUTS[name].files}' for name in layouts)
            raise DataError(f'no annotations of {target.name} were recognised. {files.describe()}. Its layouts are {accepted}')
        (name, paths), = found.items()
        if target.protocol == 'any' and name != 'entities':
            raise DataError(f'the layout {name} holds one box per phrase, so the protocol is merged; any needs the layout '
                            f'entities ({LAYOUTS["entities"].files})')
        data = replace(LAYOUTS[name].read(files, paths, target), layout=name, protocol=target.protocol)
        return files.restore(data)


def _some(paths: Sequence[Path]) -> str:
    return ', '.join(path.name for path in paths[:3]) + (', ...' if len(paths) > 3 else '')
