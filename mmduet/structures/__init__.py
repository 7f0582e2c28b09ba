"""Pure data: what the parts of mmduet exchange."""
from mmduet.structures.canvas import Canvas, from_content, padding_mask, stack_windows, to_content
from mmduet.structures.features import GroundingFeatures, TeacherTargets
from mmduet.structures.regions import Regions, pool_regions

__all__ = ['Canvas', 'GroundingFeatures', 'Regions', 'TeacherTargets', 'from_content', 'padding_mask', 'pool_regions',
           'stack_windows', 'to_content']
