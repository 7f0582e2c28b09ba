"""Pure data: what the parts of mmduet exchange."""
from mmduet.structures.batch import GroundingBatch, Source, View, expand_images
from mmduet.structures.canvas import Canvas, draw_canvases, from_content, padding_mask, stack_contents, to_content
from mmduet.structures.features import GroundingFeatures, attention_map
from mmduet.structures.regions import Regions, mean_without_padding, pool_regions
from mmduet.structures.target_identity import TargetIdentity
from mmduet.structures.teacher_targets import PER_EXPRESSION, PER_IMAGE, TARGET_NAMES, TeacherTargets

__all__ = ['PER_EXPRESSION', 'PER_IMAGE', 'TARGET_NAMES', 'Canvas', 'GroundingBatch', 'GroundingFeatures', 'Regions', 'Source',
           'TargetIdentity', 'TeacherTargets', 'View', 'attention_map', 'draw_canvases', 'expand_images', 'from_content',
           'mean_without_padding', 'padding_mask', 'pool_regions', 'stack_contents', 'to_content']
