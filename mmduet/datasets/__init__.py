"""Grounding data: annotation files, images, transforms and the dataset over them."""
from mmduet.datasets.annotation_file import Annotation, AnnotationStore, read_annotations, write_annotations
from mmduet.datasets.collate import grounding_collate
from mmduet.datasets.grounding_dataset import GroundingDataset
from mmduet.datasets.joint_dataset import JointDataset
from mmduet.datasets.samplers import EpochSampler, ImageGroupSampler, ImageOrderSampler
from mmduet.datasets.transforms.color import ColorJitter
from mmduet.datasets.transforms.geometry import QuickResizeLongSide, RandomFlip, RandomTargetCrop, ResizeLongSide
from mmduet.datasets.transforms.load_image import LoadImage
from mmduet.datasets.transforms.packing import PackGroundingInputs, PlaceOnCanvas
from mmduet.io.errors import AnnotationError, DataError, ImageError
from mmduet.io.images import decode_image, read_image

__all__ = [
    'Annotation', 'AnnotationError', 'AnnotationStore', 'ColorJitter', 'DataError', 'EpochSampler', 'GroundingDataset',
    'ImageError', 'ImageGroupSampler', 'ImageOrderSampler', 'JointDataset', 'LoadImage', 'PackGroundingInputs', 'PlaceOnCanvas',
    'QuickResizeLongSide', 'RandomFlip', 'RandomTargetCrop', 'ResizeLongSide', 'decode_image', 'grounding_collate',
    'read_annotations', 'read_image', 'write_annotations',
]
