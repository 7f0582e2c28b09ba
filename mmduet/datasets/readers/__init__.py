"""Readers of the layouts that annotations come in, and the catalog of data sets they read."""
from mmduet.datasets.readers.catalog import CATALOG, LAYOUTS, find_dataset
from mmduet.datasets.readers.dataset_spec import DatasetSpec
from mmduet.datasets.readers.source_data import SourceData, SourceImage

__all__ = ['CATALOG', 'LAYOUTS', 'DatasetSpec', 'SourceData', 'SourceImage', 'find_dataset']
