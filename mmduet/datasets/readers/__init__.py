"""Readers of the layouts that annotations come in, and the catalog of data sets they read."""
from mmduet.datasets.readers.catalog import CATALOG, DatasetSpec, find_dataset
from mmduet.datasets.readers.layouts import LAYOUTS
from mmduet.datasets.readers.official_refcoco import read_official_refcoco
from mmduet.datasets.readers.source_data import SourceData, SourceImage

__all__ = ['CATALOG', 'LAYOUTS', 'DatasetSpec', 'SourceData', 'SourceImage', 'find_dataset', 'read_official_refcoco']
