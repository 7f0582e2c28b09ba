"""The last transforms: a position on the canvas, and the sample that the model takes."""
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from mmduet.datasets.transforms.shared_view import NotBytesError, is_bytes, whole_results
from mmduet.io.errors import DataError
from mmduet.io.images import ImageArray
from mmduet.registry import TRANSFORMS
from mmduet.structures import Canvas
from mmduet.structures.target_identity import image_number, number_of_coco

META_KEYS = ('text', 'expression_id', 'img_id', 'img_path', 'ori_shape', 'crop_window', 'canvas', 'flip', 'swapped_words',
             'dataset_name', 'split', 'data_hash', 'objects_hash', 'accepted_boxes')


@TRANSFORMS.register_module()
class PlaceOnCanvas(BaseTransform):
    """Choose where the resized image goes on its square canvas; the pixels are placed on the model's device.

    Args:
        size: side of the canvas, pixels.
        random: anywhere on the canvas (training) instead of in the centre, rounded as the TransVG family rounds.
    """

    def __init__(self, size: int = 640, random: bool = False) -> None:
        self.size = size
        self.random = random

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add ``canvas``.

        Raises:
            DataError: the resized image is larger than the canvas.
        """
        height, width = results['img'].shape[:2]
        if max(height, width) > self.size:
            raise DataError(f'{results["img_path"]} was resized to {width} x {height} pixels, more than its canvas of '
                            f'{self.size}: the sides of ResizeLongSide must not exceed it')
        spare = (self.size - height, self.size - width)
        if self.random:
            top, left = (int(results['rng'].integers(room + 1)) for room in spare)
        else:
            top, left = (round(room / 2 - 0.1) for room in spare)
        image_height, image_width = results['image_shape']
        results['canvas'] = Canvas(size=self.size, left=left, top=top, width=width, height=height,
                                   scale_x=width / image_width, scale_y=height / image_height)
        return results


def to_planes(image: ImageArray) -> Tensor:
    """(h, w, 3) bytes to a contiguous (3, h, w) uint8 tensor; a ``NotBytesError`` for anything else."""
    if not is_bytes(image):
        raise NotBytesError(f'an image is {image.dtype} of shape {image.shape} where it is packed, and must be RGB bytes, '
                            'uint8 in 0 to 255 of shape (h, w, 3): the transforms of the pipeline must leave it so')
    planes = np.empty((3, *image.shape[:2]), np.uint8)
    cv2.split(np.ascontiguousarray(image), list(planes))
    return torch.from_numpy(planes)


@TRANSFORMS.register_module()
class PackGroundingInputs(BaseTransform):
    """Pack ``inputs``, the image as (3, h, w) bytes, and ``data_samples``, a ``DetDataSample`` with words, boxes and canvas.

    ``gt_instances.bboxes`` (1, 4) and ``distractors.bboxes`` (n, 4), where the data set has them, are float32 xyxy in pixels
    of the image as augmented; ``distractors.index`` (n,) are their rows in the data set's list, of which a crop leaves some
    out. Without a box (inference) there is no ``gt_instances``. ``companions``, where there are any, are packed likewise, with
    the same ``inputs``.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Pack one sample, or those of a view."""
        inputs = to_planes(results['img'])
        packed, *companions = ({'inputs': inputs, 'data_samples': self._sample(each)} for each in whole_results(results))
        return {**packed, 'companions': companions} if companions else packed

    def _sample(self, results: dict[str, Any]) -> DetDataSample:
        sample = DetDataSample(metainfo={key: results[key] for key in META_KEYS if key in results})
        if results.get('coco_id') is not None:
            sample.set_metainfo({'image_number': number_of_coco(results['coco_id'])})
        elif 'img_path' in results:  # its links are followed here, in a worker
            sample.set_metainfo({'image_number': image_number(results['img_path'])})
        if results.get('box') is not None:
            sample.gt_instances = InstanceData(bboxes=torch.tensor(results['box'][None], dtype=torch.float32))
        if results.get('distractors') is not None:
            sample.distractors = InstanceData(bboxes=torch.tensor(results['distractors'], dtype=torch.float32))
            if 'distractor_index' in results:
                sample.distractors.index = torch.from_numpy(results['distractor_index'])
        return sample
